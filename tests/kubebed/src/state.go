package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// state is the folder of one bed: certificates, kubeconfigs, logs, data.
type state string

func stateDir() state {
	dir := os.Getenv("KUBEBED_STATE")
	if dir == "" {
		dir = filepath.Join(os.Getenv("KUBEBED_CACHE"), "state")
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return state(dir)
	}
	return state(absolute)
}

func (s state) path(elem ...string) string {
	return filepath.Join(append([]string{string(s)}, elem...)...)
}

// options of "up"; the supervisor gets them in run.json.
type options struct {
	Port       int
	TTL        time.Duration
	Sync       time.Duration // how often the HPA controller looks
	Downscale  time.Duration // how long it waits before it scales down
	CPUInit    time.Duration // how long a new pod's CPU is not counted
	ReadyDelay time.Duration
	Resolution time.Duration // how often pod metrics are renewed
	PodStart   time.Duration // from scheduled to started: sandbox and image
	Backoff    time.Duration // the first wait in CrashLoopBackOff; it doubles
	Nodes      int
	NodeCPU    string

	PID     int // of the supervisor
	Started time.Time
}

// The ports of a bed, in a row: what clients know as the API server is a
// doorway (door.go), the API server itself is behind it.
const portsOfParts = 7

func (o options) etcd() int      { return o.Port + 1 }
func (o options) peer() int      { return o.Port + 2 }
func (o options) kubelet() int   { return o.Port + 3 }
func (o options) metrics() int   { return o.Port + 4 }
func (o options) control() int   { return o.Port + 5 }
func (o options) apiserver() int { return o.Port + 6 }

// Processes behind pods take their ports from here on.
func (o options) firstPodPort() int { return o.Port + 20 }

const podPorts = 380

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (s state) load() (options, error) {
	var o options
	raw, err := os.ReadFile(s.path("run.json"))
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(raw, &o)
}

func (s state) save(o options) error {
	raw, err := json.MarshalIndent(o, "", " ")
	if err != nil {
		return err
	}
	// Renamed into place: `alive` may read at any time.
	next := s.path("run.json.next")
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.path("run.json"))
}

// alive says whether the supervisor of this bed runs: a live process with the
// recorded id that really is one of ours.
func (s state) alive() (options, bool) {
	o, err := s.load()
	if err != nil || o.PID == 0 {
		return o, false
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", o.PID))
	if err != nil {
		return o, false
	}
	args := strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
	return o, len(args) == 3 && args[1] == "supervise" && args[2] == string(s)
}

// up starts a bed in the background and waits until it is usable.
func up(s state, o options) error {
	if _, ok := s.alive(); ok {
		return nil
	}
	for p := o.Port; p < o.Port+portsOfParts; p++ {
		l, err := net.Listen("tcp", loopback(p))
		if err != nil {
			return fmt.Errorf("port %d on 127.0.0.1 is taken: choose another with --port (%d in a row are needed)", p, portsOfParts)
		}
		l.Close()
	}
	if err := s.empty(); err != nil {
		return err
	}
	if err := s.save(o); err != nil {
		return err
	}
	died, err := s.startSupervisor()
	if err != nil {
		return err
	}
	deadline := time.After(3 * time.Minute)
	for {
		select {
		case <-died:
			return fmt.Errorf("the bed did not come up:\n%s\n(all logs: %s)", tail(s.path("logs", "bed.log"), 15), s.path("logs"))
		case <-deadline:
			return errors.Join(fmt.Errorf("the bed was not ready after 3 minutes:\n%s\n(all logs: %s)",
				tail(s.path("logs", "bed.log"), 15), s.path("logs")), down(s))
		case <-time.After(50 * time.Millisecond):
			if _, err := os.Stat(s.path("ready")); err == nil {
				return nil
			}
		}
	}
}

// empty makes the folder anew; be sure that it is a bed's.
func (s state) empty() error {
	if old, err := os.ReadDir(string(s)); err == nil && len(old) > 0 {
		if _, err := os.Stat(s.path("run.json")); err != nil {
			return fmt.Errorf("%s is not empty and no folder of a bed: set KUBEBED_STATE to another", s)
		}
	}
	if err := os.RemoveAll(string(s)); err != nil {
		return err
	}
	return os.MkdirAll(s.path("logs"), 0o700)
}

// startSupervisor starts it in a session of its own; the channel is closed when it ends.
func (s state) startSupervisor() (<-chan struct{}, error) {
	log, err := os.Create(s.path("logs", "bed.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "supervise", string(s))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	died := make(chan struct{})
	go func() {
		cmd.Wait()
		close(died)
	}()
	return died, nil
}

// down ends the supervisor, which ends everything it started.
func down(s state) error {
	o, ok := s.alive()
	if !ok {
		return nil
	}
	if err := syscall.Kill(o.PID, syscall.SIGTERM); err != nil {
		return err
	}
	return waitFor("the supervisor to end", 30*time.Second, func() (bool, error) {
		_, ok := s.alive()
		return !ok, nil
	})
}

func tail(file string, n int) string {
	raw, _ := os.ReadFile(file)
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// kubeProgram is the Kubernetes parts' program, which lies beside this one.
func kubeProgram() (string, error) {
	self, err := os.Executable()
	return filepath.Join(filepath.Dir(self), "kube"), err
}

// kubectl runs the bed's own kubectl as administrator.
func (s state) kubectl(stdin []byte, args ...string) error {
	kube, err := kubeProgram()
	if err != nil {
		return err
	}
	cmd := exec.Command(kube, append([]string{"kubectl", "--kubeconfig=" + s.path("pki/admin.conf")}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (s state) apply(yaml []byte) error {
	return s.kubectl(yaml, "apply", "--server-side", "--force-conflicts", "-f", "-")
}

func (s state) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.path("pki/admin.conf"))
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return kubernetes.NewForConfig(config)
}

// waitFor asks f each 100 ms until it says true.
func waitFor(what string, limit time.Duration, f func() (bool, error)) error {
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %s in vain for %s", limit, what)
		}
	}
}

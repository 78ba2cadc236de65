// kubebed is a real Kubernetes control plane on loopback whose pods are
// processes of this machine: a cluster for tests. See ../README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const appNamespace = "mysql-app"

const usageText = `kubebed: a real Kubernetes control plane on loopback, whose pods are processes of this machine

  kubebed build                      compile everything (once; kept in the cache)
  kubebed up [flags]                 start a bed; prints export KUBECONFIG=...
  kubebed with [flags] -- CMD...     start a bed, run CMD in it, end the bed
  kubebed down                       end the bed
  kubebed kubectl ARGS...            kubectl of the same version, on this bed

the application
  kubebed backends [--app flask-backend] -- CMD...    what runs in each pod that starts from now on: CMD, with
                                     {port}, {pod} and {cpu} (millicores) filled in; without CMD a server of the bed's
  kubebed backends [--app mysql] --target PORT        or: a process that listens there already
  kubebed app                        namespace mysql-app: flask-backend, mysql-0, HPA; waits until ready
  kubebed expose SERVICE PORT        the Service on a port of this machine, as a NodePort ("off" ends it)
  kubebed pods [--json]              every pod so far: process, port, and what came to it
  kubebed load URL --rps N [--for 60s] [--fresh]   a steady stream of requests to a loopback address;
                                     --fresh: each on a connection of its own

how busy the pods seem
  kubebed cost 20ms [--db 1ms]       CPU of each request that a pod has answered (the default: 10ms)
  kubebed cpu 180m                   each flask-backend pod uses so much CPU besides; "off" ends it
  kubebed cpu --total 900m           the pods share so much between them
  kubebed mem 120Mi                  each flask-backend pod uses so much memory

what goes wrong
  kubebed kill POD|--one|--all [--reason OOMKilled] [--exit N]     dies once; the container is started again
  kubebed crash POD|--one|--all [--reason OOMKilled] [--exit N] [--after 1s] [--backoff 10s]   CrashLoopBackOff
  kubebed heal                       crashed pods become ready again
  kubebed log [--pod mysql-0] [--count N] too-many-connections|deadlock|lock-wait|TEXT
  kubebed metrics on|off|empty|stale|missing   metrics.k8s.io works, answers 503, knows no pod, stands still, is not installed
  kubebed rights all|none|without RESOURCE[:VERB]...   what kubeconfig-reader, -token and -exec may do
  kubebed nodes --cpu 1              what each node has to give: too little leaves pods Pending
  kubebed apiserver stop|pause|on [--for 10s]    its process ends, stands still, works; --for: and works again then
  kubebed net off|stall|drop|on [--for 10s]      the way to it: refused, silent, all connections cut once, open

KUBEBED_STATE  folder of this bed; another folder and another --port make a second bed
KUBEBED_CACHE  where the programs are kept
`

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kubebed:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	if len(args) == 0 {
		args = []string{"help"}
	}
	s, name, args := stateDir(), args[0], args[1:]
	switch name {
	case "help", "-h", "--help":
		fmt.Print(usageText)
		return nil
	case "supervise":
		if len(args) != 1 {
			return errors.New("supervise is not for use by hand")
		}
		return supervise(state(args[0]))
	case "serve":
		return serve(args)
	case "credential":
		return credential(s)
	case "up":
		return cliUp(s, args)
	case "with":
		return cliWith(s, args)
	case "down":
		return down(s)
	case "load":
		return cliLoad(args)
	}
	known, ok := map[string]func(client, []string) error{
		"app": client.app, "backends": client.backends, "expose": client.expose, "pods": client.pods,
		"cost": client.cost, "cpu": client.cpu, "mem": client.mem,
		"kill": client.kill, "crash": client.crash, "heal": client.heal, "log": client.log,
		"metrics": client.metrics, "rights": client.rights, "nodes": client.nodes,
		"apiserver": client.apiserver, "net": client.net, "kubectl": client.kubectl,
	}[name]
	if !ok {
		return fmt.Errorf("no command is called %q (see `kubebed help`)", name)
	}
	c, err := newClient(s)
	if err != nil {
		return err
	}
	return known(c, args)
}

// parse takes flags out of args wherever they stand, and what is left of them,
// but for what follows "--": that is somebody else's.
func parse(fs *flag.FlagSet, args []string) (words, after []string, err error) {
	fs.SetOutput(io.Discard)
	for i, a := range args {
		if a == "--" {
			args, after = args[:i], args[i+1:]
			break
		}
	}
	for {
		if err := fs.Parse(args); err != nil {
			return nil, nil, fmt.Errorf("%s: %w (see `kubebed help`)", fs.Name(), err)
		}
		if args = fs.Args(); len(args) == 0 {
			return words, after, nil
		}
		words, args = append(words, args[0]), args[1:]
	}
}

func upFlags(o *options) *flag.FlagSet {
	fs := flag.NewFlagSet("up", flag.ContinueOnError)
	fs.IntVar(&o.Port, "port", 26443, "")
	fs.DurationVar(&o.TTL, "ttl", 60*time.Minute, "")
	fs.DurationVar(&o.Sync, "sync", 5*time.Second, "")
	fs.DurationVar(&o.Downscale, "downscale", 20*time.Second, "")
	fs.DurationVar(&o.CPUInit, "cpu-init", 10*time.Second, "")
	fs.DurationVar(&o.ReadyDelay, "ready-delay", 5*time.Second, "")
	fs.DurationVar(&o.Resolution, "resolution", 5*time.Second, "")
	fs.DurationVar(&o.PodStart, "pod-start", 500*time.Millisecond, "")
	fs.DurationVar(&o.Backoff, "backoff", 10*time.Second, "")
	fs.IntVar(&o.Nodes, "nodes", 2, "")
	fs.StringVar(&o.NodeCPU, "node-cpu", "8", "")
	return fs
}

func cliUp(s state, args []string) error {
	var o options
	if words, _, err := parse(upFlags(&o), args); err != nil || len(words) > 0 {
		return fmt.Errorf("up: %v %w", words, err)
	}
	if err := up(s, o); err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%q\n", s.path("kubeconfig"))
	return nil
}

// cliWith runs one command in a bed of its own.
func cliWith(s state, args []string) error {
	var o options
	_, words, err := parse(upFlags(&o), args)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("with: which command? kubebed with -- CMD...")
	}
	if _, ok := s.alive(); ok {
		return errors.New("with: a bed is already up here: end it (kubebed down) or set KUBEBED_STATE")
	}
	if err := up(s, o); err != nil {
		return err
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.path("kubeconfig"), "KUBEBED_STATE="+string(s))
	err = errors.Join(cmd.Run(), down(s))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	return err
}

// kubectl becomes the bed's kubectl, as the administrator if KUBECONFIG says nothing else.
func (c client) kubectl(args []string) error {
	kube, err := kubeProgram()
	if err != nil {
		return err
	}
	if os.Getenv("KUBECONFIG") == "" {
		os.Setenv("KUBECONFIG", c.path("kubeconfig"))
	}
	return syscall.Exec(kube, append([]string{kube, "kubectl"}, args...), os.Environ())
}

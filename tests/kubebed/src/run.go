package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// plan says what stands for the containers of an app's pods.
type plan struct {
	Command []string `json:"command"` // a process for each; {port}, {pod} and {cpu} (millicores) are filled in
	Folder  string   `json:"folder"`  // where it is started
	Target  int      `json:"target"`  // or: a port of this machine where a process listens that is not the bed's
}

// hostImage marks a container whose own command is run, as a process of this machine.
const hostImage = "kubebed/host"

// run is one life of a container: a process, or what stands for one.
type run struct {
	cmd     *exec.Cmd // nil: a target, or a container that only waits
	port    int       // 0: it serves nothing
	started time.Time
	done    chan struct{}
	exit    int // once done

	once sync.Once
	end  func() // of a run without a process
}

// httpPort is the port that the bed's own server can stand for.
const httpPort = 5000

// startRun starts what stands for the container: what the plan of its app says;
// its own command, if its image says so; a server of the bed, if it has that
// server's port; else nothing, which runs until it is ended.
func startRun(c *container) (*run, error) {
	r := &run{started: time.Now(), done: make(chan struct{})}
	log, err := openLog(c)
	if err != nil {
		return nil, err
	}
	plan := c.pod.kubelet.plan(c.pod.app)
	var command []string
	switch {
	case plan.Target != 0 && len(c.spec.Ports) > 0:
		r.port = plan.Target
	case len(plan.Command) > 0 && len(c.spec.Ports) > 0:
		command = plan.Command
	case c.spec.Image == hostImage:
		command = append(append([]string{}, c.spec.Command...), c.spec.Args...)
		if len(command) == 0 {
			return nil, errors.New("no command specified")
		}
	case c.serves(httpPort):
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		command = []string{self, "serve", "{port}", "{cpu}", c.pod.kubelet.bed.path("cost")}
	}
	if command == nil {
		r.end = func() { log.Close(); close(r.done) }
		return r, nil
	}
	if len(c.spec.Ports) > 0 {
		if r.port, err = c.pod.kubelet.ports.next(); err != nil {
			return nil, err
		}
	}
	fill := strings.NewReplacer("{port}", strconv.Itoa(r.port), "{pod}", c.pod.name, "{cpu}", strconv.Itoa(limitOf(c.spec)))
	var words []string
	for _, word := range command {
		words = append(words, fill.Replace(word))
	}
	r.cmd = exec.Command(words[0], words[1:]...)
	r.cmd.Dir = plan.Folder
	r.cmd.Env = append(os.Environ(), environment(c, r.port)...)
	r.cmd.Stdout, r.cmd.Stderr = log.stream("stdout"), log.stream("stderr")
	r.cmd.WaitDelay = time.Second // for children that keep its output open
	if err := start(r.cmd); err != nil {
		log.Close()
		return nil, err
	}
	go func() {
		err := r.cmd.Wait()
		killGroup(r.cmd) // a container's end is the end of all its processes
		log.Close()
		r.exit = exitCode(r.cmd.ProcessState, err)
		close(r.done)
		c.pod.wake()
	}()
	return r, nil
}

func exitCode(state *os.ProcessState, err error) int {
	if state == nil {
		fmt.Println("waiting for a pod's process:", err)
		return 255
	}
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return state.ExitCode()
}

func (r *run) pid() int {
	if r.cmd == nil {
		return 0
	}
	return r.cmd.Process.Pid
}

// terminate asks the run's first process to end, as a container runtime does.
func (r *run) terminate() {
	if r.cmd != nil {
		syscall.Kill(r.cmd.Process.Pid, syscall.SIGTERM)
		return
	}
	r.once.Do(r.end)
}

func (r *run) kill() {
	if r.cmd != nil {
		killGroup(r.cmd)
		return
	}
	r.once.Do(r.end)
}

// environment of a container: what its spec says literally, and the fields that
// programs in pods ask for most.
func environment(c *container, port int) []string {
	p := c.pod
	env := []string{"POD_NAME=" + p.name, "POD_NAMESPACE=" + p.namespace, "PORT=" + strconv.Itoa(port)}
	for _, e := range c.spec.Env {
		value := e.Value
		if from := e.ValueFrom; from != nil && from.FieldRef != nil {
			switch path := from.FieldRef.FieldPath; {
			case path == "metadata.name":
				value = p.name
			case path == "metadata.namespace":
				value = p.namespace
			case path == "status.podIP":
				value = p.ip
			default:
				key := strings.TrimSuffix(strings.TrimPrefix(path, "metadata.annotations['"), "']")
				value = p.seen.Annotations[key]
			}
		}
		env = append(env, e.Name+"="+value)
	}
	return env
}

// limitOf is a container's CPU limit in millicores; a core if it has none.
func limitOf(spec *corev1.Container) int {
	if q, ok := spec.Resources.Limits[corev1.ResourceCPU]; ok {
		return int(q.MilliValue())
	}
	return 1000
}

// portPool gives each run a port of its own. They are taken in turn, so that one
// is not used again soon after its process has gone.
type portPool struct {
	mu       sync.Mutex
	first, n int
	taken    int
}

func (p *portPool) next() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.n {
		port := p.first + p.taken%p.n
		p.taken++
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port of %d to %d is free for a pod", p.first, p.first+p.n-1)
}

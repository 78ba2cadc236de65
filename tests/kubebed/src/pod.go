package main

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// pod is one pod of the cluster and what stands for its containers here. Its
// own goroutine (`live`) starts and ends them; the rest of the bed looks, and
// asks for deaths, under the lock.
type pod struct {
	kubelet              *kubelet
	uid                  types.UID
	namespace, name, app string
	node, ip             string
	tap                  tap

	news      chan struct{} // something has changed: look again
	removed   sync.Once
	isRemoved chan struct{}

	mu         sync.Mutex
	seen       *corev1.Pod // as the API server has it
	containers []*container
	started    time.Time
	deleting   time.Time // when it was told to end; zero while it may live
	phase      corev1.PodPhase
	conditions map[corev1.PodConditionType]corev1.PodCondition
	curse      *curse // what kills its containers again and again
}

// curse is why, and how fast, a pod crashes until it is healed.
type curse struct {
	Reason  string        // Error, OOMKilled
	Exit    int           // exit code
	After   time.Duration // how long each container runs
	Backoff time.Duration // the wait in CrashLoopBackOff; zero: 10 s, doubling
}

func newPod(k *kubelet, p *corev1.Pod) *pod {
	w := &pod{
		kubelet: k, uid: p.UID, namespace: p.Namespace, name: p.Name, app: p.Labels["app"], node: p.Spec.NodeName,
		news: make(chan struct{}, 1), isRemoved: make(chan struct{}), seen: p, phase: corev1.PodPending,
		conditions: map[corev1.PodConditionType]corev1.PodCondition{},
	}
	for i := range p.Spec.Containers {
		w.containers = append(w.containers, newContainer(w, &p.Spec.Containers[i]))
	}
	return w
}

func (p *pod) key() string { return p.namespace + "/" + p.name }

func (p *pod) tell(seen *corev1.Pod) {
	p.mu.Lock()
	p.seen = seen
	if seen.DeletionTimestamp != nil && p.deleting.IsZero() {
		p.deleting = time.Now()
	}
	p.mu.Unlock()
	p.wake()
}

func (p *pod) wake() {
	select {
	case p.news <- struct{}{}:
	default: // it has been told already
	}
}

// live takes the pod from its start to its end. Whatever happens wakes it; it
// then does what is due, and says in the API how things are.
func (p *pod) live() {
	defer p.kubelet.buried(p)
	defer p.killAll()
	var reported string
	retry := time.Duration(0)
	for {
		next := p.step()
		status := p.status()
		if text := asText(status); text != reported {
			err := p.kubelet.report(p, status)
			switch {
			case err == nil:
				reported, retry = text, 0
			default: // the API server is away, perhaps: try again, and go on living meanwhile
				retry = min(max(2*retry, 100*time.Millisecond), 2*time.Second)
				next = min(next, retry)
			}
		}
		if p.isOver() {
			p.kubelet.remove(p)
			return
		}
		select {
		case <-p.isRemoved:
			return
		case <-p.news:
		case <-time.After(next):
		}
	}
}

const never = time.Duration(math.MaxInt64)

// step does what is due now and says in how long there is more to do.
func (p *pod) step() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.started.IsZero() {
		p.started = now
	}
	if !p.deleting.IsZero() {
		return p.stepToEnd(now)
	}
	// The sandbox and the image take a while.
	if wait := p.started.Add(p.kubelet.bed.PodStart).Sub(now); wait > 0 {
		return wait
	}
	if p.ip == "" {
		p.ip = podIP(p.uid)
	}
	next := never
	for _, c := range p.containers {
		next = min(next, c.step(now))
	}
	p.phase = p.phaseNow()
	return next
}

// stepToEnd is step for a pod that has been deleted: first SIGTERM, after the
// grace period SIGKILL.
func (p *pod) stepToEnd(now time.Time) time.Duration {
	grace := time.Duration(corev1.DefaultTerminationGracePeriodSeconds) * time.Second
	if s := p.seen.DeletionGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	end, next := p.deleting.Add(grace), never
	for _, c := range p.containers {
		next = min(next, c.stepToEnd(p.deleting, end, now))
	}
	return next
}

func (p *pod) phaseNow() corev1.PodPhase {
	ended, failed, waiting := 0, 0, 0
	for _, c := range p.containers {
		switch {
		case c.isFinal():
			ended++
			if c.state.Terminated.ExitCode != 0 {
				failed++
			}
		case c.run == nil && len(c.ends) == 0:
			waiting++
		}
	}
	switch {
	case ended == len(p.containers) && failed > 0:
		return corev1.PodFailed
	case ended == len(p.containers):
		return corev1.PodSucceeded
	case waiting > 0:
		return corev1.PodPending
	}
	return corev1.PodRunning
}

// isOver says whether a deleted pod has nothing left that runs.
func (p *pod) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deleting.IsZero() {
		return false
	}
	for _, c := range p.containers {
		if c.run != nil {
			return false
		}
	}
	return true
}

func (p *pod) killAll() {
	p.mu.Lock()
	var runs []*run
	for _, c := range p.containers {
		if c.run != nil {
			runs = append(runs, c.run)
		}
	}
	p.mu.Unlock()
	for _, r := range runs {
		r.kill()
		<-r.done
	}
}

func (p *pod) isRunning() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.containers {
		if c.run == nil {
			return false
		}
	}
	return p.deleting.IsZero()
}

// die makes the pod's containers die now, for a reason of the caller's; with
// `again`, they do so after each start until the pod is healed.
func (p *pod) die(how curse, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.curse = nil
	if again {
		p.curse = &how
	}
	for _, c := range p.containers {
		c.backoff = 0
		c.die(how)
	}
	p.wake()
}

// heal lifts the curse, and does not make anybody wait for a back-off.
func (p *pod) heal() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.curse != nil
	p.curse = nil
	for _, c := range p.containers {
		c.backoff = 0
		if was && c.run == nil {
			c.restartAt = time.Now()
		}
	}
	p.wake()
	return was
}

// address is where the process behind a port of the pod listens.
func (p *pod) address(port int32) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.containers {
		if c.serves(port) {
			if c.run == nil || c.run.port == 0 {
				break
			}
			return loopback(c.run.port), nil
		}
	}
	return "", fmt.Errorf("dial tcp4 127.0.0.1:%d: connect: %w", port, syscall.ECONNREFUSED)
}

// podIP invents an address, always the same for the same pod. It does not answer.
func podIP(uid types.UID) string {
	h := uint32(2166136261) // FNV-1a
	for _, b := range []byte(uid) {
		h = (h ^ uint32(b)) * 16777619
	}
	return fmt.Sprintf("10.244.%d.%d", h>>8&0xff, h&0xff%254+1)
}

// podReport is what the bed knows of a pod, for tests.
type podReport struct {
	Pod       string          `json:"pod"`
	Namespace string          `json:"namespace"`
	App       string          `json:"app"`
	Node      string          `json:"node"`
	Ready     bool            `json:"ready"`
	Gone      bool            `json:"gone"`
	State     string          `json:"state"`
	Restarts  int32           `json:"restarts"`
	Processes []processReport `json:"processes"`
	Traffic   trafficReport   `json:"traffic"`
}

type processReport struct {
	Container string `json:"container"`
	PID       int    `json:"pid"`  // 0: none runs
	Port      int    `json:"port"` // 0: it has none
}

func (p *pod) report() podReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := podReport{Pod: p.name, Namespace: p.namespace, App: p.app, Node: p.node, Ready: p.isReadyNow(), Traffic: p.tap.report(), Processes: []processReport{}}
	var states []string
	for _, c := range p.containers {
		r.Restarts += c.restarts
		states = append(states, c.stateName())
		if c.run != nil {
			r.Processes = append(r.Processes, processReport{c.name, c.run.pid(), c.run.port})
		}
	}
	if r.State = strings.Join(states, ","); !p.deleting.IsZero() {
		r.State = "Terminating"
	}
	return r
}

// isReadyNow: the caller holds the lock.
func (p *pod) isReadyNow() bool {
	for _, c := range p.containers {
		if !c.isReady() {
			return false
		}
	}
	return true
}

package main

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A container crashes at once again and again: the wait doubles up to this, as
// a kubelet's does, and starts over after a container has run for ten minutes.
const (
	longestBackoff = 5 * time.Minute
	longRun        = 10 * time.Minute
	relist         = time.Second
)

// container is one container of a pod. Every method is called under the pod's lock.
type container struct {
	pod       *pod
	spec      *corev1.Container
	name      string
	run       *run // what runs now
	instance  int  // number of the run: its log's name
	restarts  int32
	state     corev1.ContainerState
	ends      []*corev1.ContainerStateTerminated // of its runs, by their number
	probes    *probes
	backoff   time.Duration
	diedAt    time.Time
	restartAt time.Time
	killed    *curse // why we have killed the run; nil: it ended by itself
	termSent  bool
	pulled    int // failed attempts to pull the image
}

func newContainer(p *pod, spec *corev1.Container) *container {
	return &container{pod: p, spec: spec, name: spec.Name,
		state: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}
}

// step does what is due and says in how long there is more.
func (c *container) step(now time.Time) time.Duration {
	if c.run != nil {
		select {
		case <-c.run.done:
			c.ended(now)
		default:
			return c.watch(now)
		}
	}
	if c.isFinal() {
		return never
	}
	// A kubelet looks once a second: for so long, a container that has died is seen as that.
	if t := c.state.Terminated; t != nil {
		if look := c.diedAt.Add(relist).Sub(now); look > 0 {
			return look
		}
	}
	if wait := c.restartAt.Sub(now); wait > 0 {
		if c.state.Terminated != nil {
			c.wait("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
				c.restartAt.Sub(c.diedAt), c.name, c.pod.name, c.pod.namespace, c.pod.uid))
			c.event(corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
				c.name, c.pod.name, c.pod.namespace, c.pod.uid)
		}
		return wait
	}
	if isMissing(c.spec.Image) {
		return c.failToPull(now)
	}
	c.start(now)
	return 0
}

// watch looks after a container that runs.
func (c *container) watch(now time.Time) time.Duration {
	next := never
	if curse := c.pod.curse; curse != nil {
		if next = c.run.started.Add(curse.After).Sub(now); next <= 0 {
			c.die(*curse)
			return never // its end will wake us
		}
	}
	if c.probes.isDead() && c.killed == nil {
		c.event(corev1.EventTypeNormal, "Killing", "Container %s failed liveness probe, will be restarted", c.name)
		c.killed = &curse{Reason: "Error", Exit: 137}
		c.run.kill()
	}
	return next
}

func (c *container) start(now time.Time) {
	again := len(c.ends) > 0
	if again {
		c.restarts++
		c.instance++
	}
	c.killed, c.termSent = nil, false
	c.event(corev1.EventTypeNormal, "Pulled", "Container image %q already present on machine", c.spec.Image)
	c.event(corev1.EventTypeNormal, "Created", "Container created")
	r, err := startRun(c)
	if err != nil {
		c.event(corev1.EventTypeWarning, "Failed", "Error: %s", err)
		c.died(now, now, curse{Reason: "StartError", Exit: 128}, err.Error())
		return
	}
	c.run = r
	c.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(now)}}
	c.event(corev1.EventTypeNormal, "Started", "Container started")
	c.probes = startProbes(c, r)
}

// die kills what runs; `ended` then says why.
func (c *container) die(how curse) {
	if c.run == nil {
		return
	}
	if c.killed == nil {
		c.killed = &how
	}
	c.run.kill()
}

// ended takes note of the end of what ran.
func (c *container) ended(now time.Time) {
	how := curse{Reason: "Completed"}
	if how.Exit = c.run.exit; how.Exit != 0 {
		how.Reason = "Error"
	}
	if c.killed != nil {
		how = *c.killed
	}
	started := c.run.started
	c.run = nil
	c.probes = nil
	c.died(started, now, how, "")
}

func (c *container) died(started, now time.Time, how curse, message string) {
	t := &corev1.ContainerStateTerminated{
		ExitCode: int32(how.Exit), Reason: how.Reason, Message: message,
		StartedAt: metav1.NewTime(started), FinishedAt: metav1.NewTime(now), ContainerID: c.id(c.instance),
	}
	c.state = corev1.ContainerState{Terminated: t}
	c.ends, c.diedAt = append(c.ends, t), now
	// The first end is followed by a start at once, each further one by a wait.
	switch ran := now.Sub(started); {
	case ran > longRun:
		c.backoff, c.restartAt = 0, now
	case c.backoff == 0:
		c.backoff, c.restartAt = c.firstBackoff(), now
	default:
		c.restartAt = now.Add(c.backoff)
		if c.pod.curse == nil || c.pod.curse.Backoff == 0 {
			c.backoff = min(2*c.backoff, longestBackoff)
		}
	}
}

func (c *container) firstBackoff() time.Duration {
	if curse := c.pod.curse; curse != nil && curse.Backoff > 0 {
		return curse.Backoff
	}
	return c.pod.kubelet.bed.Backoff
}

// stepToEnd ends the container of a deleted pod.
func (c *container) stepToEnd(asked, end, now time.Time) time.Duration {
	if c.run == nil {
		return never
	}
	select {
	case <-c.run.done:
		c.ended(now)
		return never
	default:
	}
	// preStop comes out of the grace period; only `sleep` is known here.
	term := asked
	if l := c.spec.Lifecycle; l != nil && l.PreStop != nil && l.PreStop.Sleep != nil {
		term = asked.Add(time.Duration(l.PreStop.Sleep.Seconds) * time.Second)
	}
	if !c.termSent && !now.Before(term) {
		c.termSent = true
		c.event(corev1.EventTypeNormal, "Killing", "Stopping container %s", c.name)
		c.run.terminate()
	}
	if !now.Before(end) {
		c.run.kill()
		return never
	}
	if !c.termSent {
		return term.Sub(now)
	}
	return end.Sub(now)
}

// isFinal says whether the container has ended and will not be started again.
func (c *container) isFinal() bool {
	if c.state.Terminated == nil {
		return false
	}
	switch c.pod.seen.Spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return true
	case corev1.RestartPolicyOnFailure:
		return c.state.Terminated.ExitCode == 0
	}
	return false
}

func (c *container) wait(reason, message string) {
	c.state = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// isMissing: an image with the tag "missing" is one that no registry has.
func isMissing(image string) bool { return strings.HasSuffix(image, ":missing") }

// failToPull goes on as a kubelet does: an error, then a wait that is called
// ImagePullBackOff, then the next error.
func (c *container) failToPull(now time.Time) time.Duration {
	c.pulled++
	text := fmt.Sprintf("failed to pull and unpack image %q: failed to resolve reference: not found", c.spec.Image)
	if c.pulled%2 == 1 {
		c.event(corev1.EventTypeNormal, "Pulling", "Pulling image %q", c.spec.Image)
		c.event(corev1.EventTypeWarning, "Failed", "Failed to pull image %q: %s", c.spec.Image, text)
		c.wait("ErrImagePull", text)
		c.restartAt = now.Add(time.Second)
		return time.Second
	}
	c.event(corev1.EventTypeWarning, "BackOff", "Back-off pulling image %q", c.spec.Image)
	c.wait("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", c.spec.Image, text))
	c.backoff = min(max(2*c.backoff, c.firstBackoff()), longestBackoff)
	c.restartAt = now.Add(c.backoff)
	return c.backoff
}

// last is the run before the one that `state` is about, whose end is the
// status's lastState; -1 if there is none.
func (c *container) last() int {
	if c.state.Terminated != nil {
		return len(c.ends) - 2
	}
	return len(c.ends) - 1
}

func (c *container) isReady() bool { return c.run != nil && c.probes.isReady() }

func (c *container) serves(port int32) bool {
	for _, p := range c.spec.Ports {
		if p.ContainerPort == port {
			return true
		}
	}
	return false
}

func (c *container) stateName() string {
	switch {
	case c.state.Waiting != nil:
		return c.state.Waiting.Reason
	case c.state.Terminated != nil:
		return c.state.Terminated.Reason
	}
	return "Running"
}

func (c *container) id(instance int) string {
	return fmt.Sprintf("kubebed://%s-%s-%d", c.pod.uid, c.name, instance)
}

func (c *container) event(kind, reason, format string, args ...any) {
	c.pod.kubelet.event(c.pod, c.name, kind, reason, format, args...)
}

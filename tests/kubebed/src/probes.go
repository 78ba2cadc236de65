package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// probes asks one run of a container how it is, as a kubelet does: really, over
// HTTP or TCP. Probes by exec or gRPC always succeed; startup probes are not done.
type probes struct {
	ready, dead atomic.Bool
}

func startProbes(c *container, r *run) *probes {
	p := &probes{}
	if c.spec.ReadinessProbe == nil {
		p.ready.Store(true)
	} else {
		go p.watch(c, r, c.spec.ReadinessProbe, "Readiness", &p.ready, true)
	}
	if c.spec.LivenessProbe != nil {
		go p.watch(c, r, c.spec.LivenessProbe, "Liveness", &p.dead, false)
	}
	return p
}

func (p *probes) isReady() bool { return p != nil && p.ready.Load() }
func (p *probes) isDead() bool  { return p != nil && p.dead.Load() }

// watch sets `flag` to `good` when the probe succeeds, and to the contrary when it fails.
func (p *probes) watch(c *container, r *run, probe *corev1.Probe, kind string, flag *atomic.Bool, good bool) {
	period := time.Duration(cmp.Or(probe.PeriodSeconds, 10)) * time.Second
	failures, successes := int32(0), int32(0)
	wait := time.Duration(probe.InitialDelaySeconds) * time.Second
	for {
		select {
		case <-r.done:
			return
		case <-time.After(wait):
		}
		err := probeOnce(probe, r.port, time.Duration(cmp.Or(probe.TimeoutSeconds, 1))*time.Second)
		select {
		case <-r.done: // while we asked: that is no failure of the probe
			return
		default:
		}
		was := flag.Load()
		if err == nil {
			failures, successes = 0, successes+1
			if successes >= cmp.Or(probe.SuccessThreshold, 1) {
				flag.Store(good)
			}
		} else {
			failures, successes = failures+1, 0
			c.event(corev1.EventTypeWarning, "Unhealthy", "%s probe failed: %s", kind, err)
			if failures >= cmp.Or(probe.FailureThreshold, 3) {
				flag.Store(!good)
			}
		}
		if flag.Load() != was {
			c.pod.wake()
		}
		// A pod that is not ready yet is asked once a second, however long the period is.
		if wait = period; good && !flag.Load() && failures < cmp.Or(probe.FailureThreshold, 3) {
			wait = min(wait, time.Second)
		}
	}
}

func probeOnce(probe *corev1.Probe, port int, timeout time.Duration) error {
	switch {
	case port == 0:
		return nil
	case probe.TCPSocket != nil:
		c, err := net.DialTimeout("tcp", loopback(port), timeout)
		if err == nil {
			c.Close()
		}
		return err
	case probe.HTTPGet == nil:
		return nil
	}
	client := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequest(http.MethodGet, "http://"+loopback(port)+"/"+strings.TrimPrefix(probe.HTTPGet.Path, "/"), nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", probeAgent)
	a, err := client.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	io.Copy(io.Discard, io.LimitReader(a.Body, 10<<10))
	if a.StatusCode < 200 || a.StatusCode >= 400 {
		return fmt.Errorf("HTTP probe failed with statuscode: %d", a.StatusCode)
	}
	return nil
}

// probeAgent is how a kubelet calls itself when it probes.
const probeAgent = "kube-probe/1.36"

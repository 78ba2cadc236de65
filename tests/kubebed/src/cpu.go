package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"math"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// load is what decides how much CPU and memory the pods seem to use. It is read
// and changed over the control port (GET and PATCH /load).
type load struct {
	App      string  `json:"app"`      // whose pods podM, totalM and memMi are about
	BaseM    float64 `json:"baseM"`    // millicores of an idle pod
	PodM     float64 `json:"podM"`     // > 0: each pod uses this much more, whatever their number
	TotalM   float64 `json:"totalM"`   // > 0: the ready pods share this much
	CostMs   float64 `json:"costMs"`   // CPU milliseconds of each answer that a pod gave
	MemMi    float64 `json:"memMi"`    // memory of a pod
	DBApp    string  `json:"dbApp"`    // the database's pods:
	DBBaseM  float64 `json:"dbBaseM"`  // millicores when idle
	DBCostMs float64 `json:"dbCostMs"` // CPU milliseconds of each answer that any pod of the app gave
	Metrics  string  `json:"metrics"`  // on, off (503), empty, stale
	// What was seen last; a PATCH does not change these.
	RPS   float64 `json:"rps"`
	Ready int     `json:"ready"`
}

type usage struct {
	milli, bytes float64
	at           time.Time
	window       time.Duration
}

// sim is metrics.k8s.io: what metrics-server is on a cluster.
type sim struct {
	bed     *bed
	kubelet *kubelet

	mu      sync.Mutex
	load    load
	samples map[string]usage // by namespace/name
	lastAt  time.Time
}

func newSim(b *bed) *sim {
	return &sim{bed: b, kubelet: b.kubelet, samples: map[string]usage{}, load: load{
		App: "flask-backend", BaseM: 5, CostMs: 10, MemMi: 90, DBApp: "mysql", DBBaseM: 15, DBCostMs: 1, Metrics: "on"}}
}

func (s *sim) serve(ctx context.Context) error {
	config, err := serverTLS(s.bed.state, "front-ca")
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", loopback(s.bed.options.metrics()), config)
	if err != nil {
		return err
	}
	go http.Serve(l, http.HandlerFunc(s.metricsAPI))
	go func() {
		for tick := time.Tick(s.bed.Resolution); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				s.sample()
			}
		}
	}()
	return nil
}

func podKey(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }

func isReady(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// runningSince is when all containers of the pod were last started; zero when
// one does not run.
func runningSince(p *corev1.Pod) time.Time {
	var since time.Time
	if p.Status.Phase != corev1.PodRunning || len(p.Status.ContainerStatuses) == 0 {
		return since
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Running == nil {
			return time.Time{}
		}
		if t := c.State.Running.StartedAt.Time; t.After(since) {
			since = t
		}
	}
	return since
}

func cpuLimitM(p *corev1.Pod) float64 {
	sum := 0.0
	for _, c := range p.Spec.Containers {
		q, ok := c.Resources.Limits[corev1.ResourceCPU]
		if !ok {
			return math.Inf(1)
		}
		sum += float64(q.MilliValue())
	}
	return sum
}

// sample takes one reading of every pod, as the kubelet and metrics-server
// would: the mean over the time since the reading before. A pod that did not
// run all that time is not listed yet.
func (s *sim) sample() {
	pods, err := s.kubelet.pods.List(labels.Everything())
	if err != nil {
		return
	}
	answers := map[string]float64{}
	for _, p := range s.kubelet.living() {
		answers[p.key()] = p.tap.take()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load.Metrics == "stale" {
		return
	}
	now := time.Now()
	window := now.Sub(s.lastAt)
	if s.lastAt.IsZero() {
		window = s.bed.Resolution
	}
	ready, sum := 0, 0.0
	for _, p := range pods {
		if p.Labels["app"] == s.load.App {
			sum += answers[podKey(p)]
			if isReady(p) {
				ready++
			}
		}
	}
	s.load.Ready, s.load.RPS = ready, sum/window.Seconds()
	fresh := map[string]usage{}
	for _, p := range pods {
		since := runningSince(p)
		if since.IsZero() || since.After(s.lastAt) {
			continue
		}
		u := usage{at: now, window: window}
		switch p.Labels["app"] {
		case s.load.App:
			u.milli = s.load.BaseM + answers[podKey(p)]*s.load.CostMs/window.Seconds()
			u.bytes = s.load.MemMi * (1 << 20)
			if isReady(p) {
				u.milli += s.load.PodM + s.load.TotalM/float64(ready)
			}
		case s.load.DBApp:
			u.milli = s.load.DBBaseM + s.load.RPS*s.load.DBCostMs
			u.bytes = 400 * (1 << 20)
		default:
			u.milli, u.bytes = 1, 10*(1<<20)
		}
		u.milli = math.Min(u.milli, cpuLimitM(p))
		fresh[podKey(p)] = u
	}
	s.samples, s.lastAt = fresh, now
}

// change applies a PATCH of /load.
func (s *sim) change(patch *json.Decoder) (load, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.load
	patch.DisallowUnknownFields()
	if err := patch.Decode(&next); err != nil {
		return s.load, err
	}
	next.RPS, next.Ready = s.load.RPS, s.load.Ready
	s.load = next
	return next, nil
}

func (s *sim) now() load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load
}

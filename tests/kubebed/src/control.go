package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// What the commands ask of the supervisor. Tests may ask it the same.
type (
	askPlan struct {
		App string `json:"app"`
		plan
	}
	askDeath struct {
		Pods    []string      `json:"pods"`
		App     string        `json:"app"` // all of it, or one
		One     bool          `json:"one"`
		Again   bool          `json:"again"` // until healed
		Reason  string        `json:"reason"`
		Exit    int           `json:"exit"`
		After   time.Duration `json:"after"`
		Backoff time.Duration `json:"backoff"`
	}
	askLog struct {
		Pod   string `json:"pod"`
		Text  string `json:"text"`
		Count int    `json:"count"`
	}
	askExposure struct {
		Service string `json:"service"`
		Port    int    `json:"port"`
	}
	askMode struct {
		Mode string        `json:"mode"`
		For  time.Duration `json:"for"` // then "on" again; 0: until told
	}
)

// answering makes a handler of a function that takes JSON and gives JSON.
func answering[T any](f func(ctx context.Context, ask T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var ask T
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if r.Method != http.MethodGet {
			if err := d.Decode(&ask); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		answer, err := f(r.Context(), ask)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

var done = map[string]bool{"done": true}

// serveControl opens the control port.
func (b *bed) serveControl() error {
	l, err := net.Listen("tcp", loopback(b.options.control()))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /load", answering(func(context.Context, any) (any, error) { return b.sim.now(), nil }))
	mux.HandleFunc("PATCH /load", func(w http.ResponseWriter, r *http.Request) {
		l, err := b.sim.change(json.NewDecoder(r.Body))
		if err == nil {
			err = b.writeCost(l)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(w, http.StatusOK, l)
	})
	mux.HandleFunc("GET /pods", answering(func(context.Context, any) (any, error) { return b.kubelet.reports(), nil }))
	mux.HandleFunc("POST /backends", answering(func(_ context.Context, ask askPlan) (any, error) {
		b.kubelet.setPlan(ask.App, ask.plan)
		return done, nil
	}))
	mux.HandleFunc("POST /die", answering(func(_ context.Context, ask askDeath) (any, error) { return b.die(ask) }))
	mux.HandleFunc("POST /heal", answering(func(context.Context, any) (any, error) { return b.heal(), nil }))
	mux.HandleFunc("POST /log", answering(func(_ context.Context, ask askLog) (any, error) {
		p := b.kubelet.find(appNamespace, ask.Pod)
		if p == nil {
			return nil, fmt.Errorf("no pod is called %q in %s", ask.Pod, appNamespace)
		}
		return done, p.inject(ask.Text, ask.Count)
	}))
	mux.HandleFunc("POST /expose", answering(func(_ context.Context, ask askExposure) (any, error) {
		return done, b.exposed.set(ask.Service, ask.Port)
	}))
	mux.HandleFunc("POST /nodes", answering(func(ctx context.Context, ask struct{ CPU string }) (any, error) {
		return done, b.kubelet.setNodeCPU(ctx, ask.CPU)
	}))
	mux.HandleFunc("POST /net", answering(func(_ context.Context, ask askMode) (any, error) {
		return done, during(ask, b.door.set)
	}))
	mux.HandleFunc("POST /apiserver", answering(func(_ context.Context, ask askMode) (any, error) {
		return done, during(ask, b.setAPIServer)
	}))
	go http.Serve(l, mux)
	return b.writeCost(b.sim.now())
}

// during sets a mode, and "on" again after a while.
func during(ask askMode, set func(string) error) error {
	if err := set(ask.Mode); err != nil || ask.For == 0 {
		return err
	}
	time.Sleep(ask.For)
	return set("on")
}

// setAPIServer: on, stop (its process ends) or pause (it answers nothing).
func (b *bed) setAPIServer(mode string) error {
	running := b.part("apiserver")
	switch mode {
	case "on":
		if running == nil {
			if err := b.run("apiserver", b.apiserverArgs()...); err != nil {
				return err
			}
		} else if err := syscall.Kill(running.cmd.Process.Pid, syscall.SIGCONT); err != nil {
			return err
		}
		if err := b.door.set("on"); err != nil {
			return err
		}
		return waitFor("the API server", 60*time.Second, func() (bool, error) { return b.isReady() == nil, nil })
	case "stop":
		if running != nil {
			// Where nobody listens, connections are refused; so does the door then.
			if err := b.door.set("off"); err != nil {
				return err
			}
			b.end(running, apiserverPatience)
		}
		return nil
	case "pause":
		if running == nil {
			return fmt.Errorf("the API server is stopped")
		}
		return syscall.Kill(running.cmd.Process.Pid, syscall.SIGSTOP)
	}
	return fmt.Errorf("apiserver: on, stop or pause, not %q", mode)
}

func (b *bed) die(ask askDeath) ([]string, error) {
	pods, err := b.kubelet.choose(ask.Pods, ask.App, ask.One)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range pods {
		p.die(curse{ask.Reason, ask.Exit, ask.After, ask.Backoff}, ask.Again)
		names = append(names, p.name)
	}
	return names, nil
}

func (b *bed) heal() []string {
	names := []string{}
	for _, p := range b.kubelet.living() {
		if p.heal() {
			names = append(names, p.name)
		}
	}
	return names
}

// writeCost tells the bed's own servers what a request costs.
func (b *bed) writeCost(l load) error {
	cost := time.Duration(l.CostMs * float64(time.Millisecond))
	return os.WriteFile(b.path("cost"), []byte(cost.String()), 0o600)
}

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const longestQueue = 5 * time.Second

// server is what stands for a container that has a port and no plan: an HTTP
// service that is as fast as its CPU limit allows. A request takes `cost` of
// CPU time; they are worked off one after the other.
type server struct {
	pod      string
	limit    float64 // of a core
	costFile string

	mu     sync.Mutex
	n      int // requests, without probes
	cost   time.Duration
	readAt time.Time
	free   time.Time // when all that is queued has been worked off
}

// serve runs one until SIGTERM; then it takes no more connections and answers
// what it has taken, as well-behaved services do.
func serve(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("serve PORT MILLICORES COST-FILE is how a bed starts a pod's process")
	}
	milli, err := strconv.ParseFloat(args[1], 64)
	if err != nil {
		return err
	}
	s := &server{pod: os.Getenv("POD_NAME"), limit: min(milli, 1000) / 1000, costFile: args[2]}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", args[0]))
	if err != nil {
		return err
	}
	h := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	asked, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go h.Serve(l)
	fmt.Printf("%s serves on port %s\n", s.pod, args[0])
	<-asked.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err = h.Shutdown(ctx)
	fmt.Printf("%s ends after %d requests\n", s.pod, s.n)
	return err
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20))
	w.Header().Set("X-Pod", s.pod)
	s.mu.Lock()
	switch {
	case r.URL.Path == "/__count":
		fmt.Fprintln(w, s.n)
		s.mu.Unlock()
		return
	case r.UserAgent() == probeAgent:
		s.mu.Unlock()
		return
	}
	s.n++
	now := time.Now()
	cost := s.costNow(now)
	if s.free.Before(now) {
		s.free = now
	}
	if s.free.Sub(now) > longestQueue {
		s.mu.Unlock()
		http.Error(w, `{"error":"queue is full"}`, http.StatusServiceUnavailable)
		return
	}
	s.free = s.free.Add(time.Duration(float64(cost) / s.limit))
	wait := s.free.Sub(now)
	s.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-r.Context().Done():
	}
	fmt.Printf("%s %s 200\n", r.Method, r.URL.Path)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\"ok\":true,\"pod\":%q}\n", s.pod)
}

// costNow reads what a request costs, which `kubebed cost` changes at any time.
func (s *server) costNow(now time.Time) time.Duration {
	if now.Sub(s.readAt) > 200*time.Millisecond {
		s.readAt = now
		if raw, err := os.ReadFile(s.costFile); err == nil {
			if cost, err := time.ParseDuration(strings.TrimSpace(string(raw))); err == nil {
				s.cost = cost
			}
		}
	}
	return s.cost
}

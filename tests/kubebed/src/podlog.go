package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	criapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	crilogs "k8s.io/cri-client/pkg/logs"
)

// podLog is the log of one life of a container, in the form container runtimes
// write: time, stream, F for a whole line or P for a part, text.
type podLog struct {
	mu      sync.Mutex
	file    *os.File
	streams []*logStream
}

func (c *container) logFile(instance int) string {
	p := c.pod
	return p.kubelet.bed.path("podlogs", p.namespace+"_"+p.name+"_"+string(p.uid), c.name, fmt.Sprintf("%d.log", instance))
}

func openLog(c *container) (*podLog, error) {
	name := c.logFile(c.instance)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return &podLog{file: f}, err
}

func (l *podLog) stream(name string) io.Writer {
	s := &logStream{log: l, name: name}
	l.streams = append(l.streams, s)
	return s
}

// Close writes what has not ended in a new line.
func (l *podLog) Close() {
	for _, s := range l.streams {
		if len(s.rest) > 0 {
			s.write(append(s.rest, '\n'))
		}
	}
	l.file.Close()
}

type logStream struct {
	log  *podLog
	name string
	rest []byte
}

// Write never fails: a process must not die of its log.
func (s *logStream) Write(text []byte) (int, error) {
	s.rest = append(s.rest, text...)
	if i := bytes.LastIndexByte(s.rest, '\n'); i >= 0 {
		s.write(s.rest[:i+1])
		s.rest = append([]byte{}, s.rest[i+1:]...)
	}
	return len(text), nil
}

func (s *logStream) write(lines []byte) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.file.Write(logLines(s.name, lines))
}

func logLines(stream string, lines []byte) []byte {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z")
	var out bytes.Buffer
	for line := range bytes.Lines(lines) {
		fmt.Fprintf(&out, "%s %s F %s\n", now, stream, bytes.TrimRight(line, "\r\n"))
	}
	return out.Bytes()
}

// inject writes lines into the log of a pod's first container. One write to a
// file opened for appending is not torn apart by those of the process.
func (p *pod) inject(text string, count int) error {
	p.mu.Lock()
	name := p.containers[0].logFile(p.containers[0].instance)
	p.mu.Unlock()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(bytes.Repeat(logLines("stderr", []byte(text)), count))
	return err
}

// whichLog finds the file that a request for a log means, by the rules and in
// the words of a kubelet.
func (p *pod) whichLog(name string, previous bool) (c *container, instance int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.containers {
		if one.name == name {
			c = one
		}
	}
	switch {
	case c == nil:
		return nil, 0, fmt.Errorf("container %q in pod %q is not available", name, p.name)
	case previous && c.last() < 0:
		return nil, 0, fmt.Errorf("previous terminated container %q in pod %q not found", name, p.name)
	case previous:
		return c, c.last(), nil
	case c.run == nil && len(c.ends) == 0:
		return nil, 0, fmt.Errorf("container %q in pod %q is waiting to start: %s", name, p.name, c.stateName())
	}
	return c, c.instance, nil
}

// serveLog answers the kubelet's /containerLogs.
func (k *kubelet) serveLog(w http.ResponseWriter, r *http.Request) {
	p := k.find(r.PathValue("namespace"), r.PathValue("pod"))
	if p == nil {
		http.Error(w, fmt.Sprintf("pod %q does not exist", r.PathValue("pod")), http.StatusNotFound)
		return
	}
	options, previous, err := readQuery(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c, instance, err := p.whichLog(r.PathValue("container"), previous)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	flushing := flushWriter{w, http.NewResponseController(w)}
	w.WriteHeader(http.StatusOK)
	flushing.controller.Flush()
	crilogs.ReadLogs(r.Context(), c.logFile(instance), c.id(instance), &options, aRuntime{container: c, instance: instance}, flushing, flushing)
}

type flushWriter struct {
	to         io.Writer
	controller *http.ResponseController
}

func (f flushWriter) Write(text []byte) (int, error) {
	n, err := f.to.Write(text)
	f.controller.Flush()
	return n, err
}

// aRuntime tells ReadLogs whether the container still runs, which is what ends `logs -f`.
type aRuntime struct {
	criapi.RuntimeService
	container *container
	instance  int
}

func (a aRuntime) ContainerStatus(context.Context, string, bool) (*runtimeapi.ContainerStatusResponse, error) {
	a.container.pod.mu.Lock()
	defer a.container.pod.mu.Unlock()
	state := runtimeapi.ContainerState_CONTAINER_EXITED
	if a.container.run != nil && a.container.instance == a.instance {
		state = runtimeapi.ContainerState_CONTAINER_RUNNING
	}
	return &runtimeapi.ContainerStatusResponse{Status: &runtimeapi.ContainerStatus{State: state}}, nil
}

// readQuery reads what the API server asks a kubelet's /containerLogs.
func readQuery(query url.Values) (options crilogs.LogOptions, previous bool, err error) {
	number := func(name string) *int64 {
		text := query.Get(name)
		if text == "" || err != nil {
			return nil
		}
		var n int64
		if n, err = strconv.ParseInt(text, 10, 64); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return &n
	}
	options.TailLines, options.LimitBytes = number("tailLines"), number("limitBytes")
	if s := number("sinceSeconds"); s != nil {
		options.Since = time.Now().Add(-time.Duration(*s) * time.Second)
	}
	if text := query.Get("sinceTime"); text != "" && err == nil {
		options.Since, err = time.Parse(time.RFC3339, text)
	}
	options.Follow = query.Get("follow") == "true"
	options.Timestamp = query.Get("timestamps") == "true"
	return options, query.Get("previous") == "true", err
}

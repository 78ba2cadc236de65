package main

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// tap counts what comes to a pod: connections, and the HTTP/1.1 requests and
// answers in them. It stands directly before the pod's process, passes every
// byte on as it is, and reads along.
type tap struct {
	mu     sync.Mutex
	now    trafficReport
	served float64 // answers since the CPU model asked last
}

type trafficReport struct {
	Connections int            `json:"connections"` // so far
	Open        int            `json:"open"`        // now
	Requests    int            `json:"requests"`    // whose head was seen
	Answers     map[string]int `json:"answers"`     // complete ones, by status
	Cut         int            `json:"cut"`         // requests whose connection ended before their answer
}

func (t *tap) report() trafficReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.now
	if r.Answers = maps.Clone(t.now.Answers); r.Answers == nil {
		r.Answers = map[string]int{}
	}
	return r
}

// take is the number of answers since the last call.
func (t *tap) take() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.served
	t.served = 0
	return n
}

func (t *tap) count(f func(*trafficReport)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.now)
}

// pass carries bytes both ways until both sides have ended, or one has failed.
func (t *tap) pass(client io.ReadWriteCloser, server *net.TCPConn) {
	t.count(func(r *trafficReport) { r.Connections++; r.Open++ })
	defer t.count(func(r *trafficReport) { r.Open-- })
	requests, answers := newOverhearing(), newOverhearing()
	asked := make(chan string, 1<<16) // methods of requests that have no answer yet
	var both sync.WaitGroup
	both.Go(func() { t.readRequests(requests, asked) })
	both.Go(func() { t.readAnswers(answers, asked) })
	go func() {
		// What the client does not send any more, the server is told; if the client
		// is gone for good, the write below fails and ends the whole.
		if _, err := io.Copy(server, io.TeeReader(client, requests)); err != nil {
			server.Close()
		} else {
			server.CloseWrite()
		}
	}()
	io.Copy(client, io.TeeReader(server, answers))
	// The server has ended: so does the stream, whatever its client has yet to say.
	client.Close()
	server.Close()
	answers.end()
	requests.end()
	both.Wait()
}

func (t *tap) readRequests(in *overhearing, asked chan<- string) {
	defer close(asked)
	defer in.deafen()
	for text := bufio.NewReader(in); ; {
		r, err := http.ReadRequest(text)
		if err != nil || r.Method == "PRI" { // the end; no HTTP/1; HTTP/2, which starts with "PRI *"
			return
		}
		t.count(func(n *trafficReport) { n.Requests++ })
		asked <- r.Method
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
	}
}

func (t *tap) readAnswers(in *overhearing, asked <-chan string) {
	defer in.deafen()
	text := bufio.NewReader(in)
	for method := range asked {
		status, err := readAnswer(text, method)
		if err != nil {
			t.count(func(n *trafficReport) { n.Cut++ })
			for range asked {
				t.count(func(n *trafficReport) { n.Cut++ })
			}
			return
		}
		t.mu.Lock()
		if t.now.Answers == nil {
			t.now.Answers = map[string]int{}
		}
		t.now.Answers[strconv.Itoa(status)]++
		t.served++
		t.mu.Unlock()
	}
}

// readAnswer reads one to its last byte; 1xx ones come before it.
func readAnswer(text *bufio.Reader, method string) (int, error) {
	for {
		a, err := http.ReadResponse(text, &http.Request{Method: method})
		if err != nil {
			return 0, err
		}
		if _, err = io.Copy(io.Discard, a.Body); err != nil {
			return 0, err
		}
		if a.StatusCode >= 200 {
			return a.StatusCode, nil
		}
	}
}

// overhearing hands on what was overheard. Nothing that goes wrong with the
// reader may hold the traffic up, nor may a slow one: it is a queue without end.
type overhearing struct {
	mu    sync.Mutex
	more  sync.Cond
	text  []byte
	ended bool
	deaf  bool
}

func newOverhearing() *overhearing {
	o := &overhearing{}
	o.more.L = &o.mu
	return o
}

func (o *overhearing) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.deaf {
		o.text = append(o.text, text...)
		o.more.Signal()
	}
	return len(text), nil
}

func (o *overhearing) Read(into []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.text) == 0 {
		if o.ended {
			return 0, io.EOF
		}
		if o.deaf {
			return 0, errors.New("nobody listens any more")
		}
		o.more.Wait()
	}
	n := copy(into, o.text)
	o.text = append(o.text[:0], o.text[n:]...)
	return n, nil
}

// end says that no more is to come.
func (o *overhearing) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.more.Broadcast()
}

// deafen says that nobody reads any more.
func (o *overhearing) deafen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deaf, o.text = true, nil
}

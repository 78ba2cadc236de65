package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// door is the way from clients to the API server: it passes bytes on, and can
// be shut while the cluster behind it goes on working, as a network does that
// breaks between a pipeline and its cluster. The parts of the cluster have a
// way of their own.
type door struct {
	front, back int

	mu       sync.Mutex
	listener net.Listener
	inside   map[*passage]bool
	stalled  chan struct{} // closed when bytes may flow again; nil when they do
}

type passage struct{ client, server *net.TCPConn }

func openDoor(front, back int) (*door, error) {
	d := &door{front: front, back: back, inside: map[*passage]bool{}}
	return d, d.open()
}

// set is what `kubebed net` says: on, off (connections are refused), stall
// (nothing comes through, and nobody says so), drop (once, all are cut).
func (d *door) set(mode string) error {
	switch mode {
	case "on":
		d.flow()
		return d.open()
	case "off":
		d.flow()
		d.shut()
		d.drop()
	case "stall":
		d.mu.Lock()
		if d.stalled == nil {
			d.stalled = make(chan struct{})
		}
		d.mu.Unlock()
	case "drop":
		d.drop()
	default:
		return fmt.Errorf("net: on, off, stall or drop, not %q", mode)
	}
	return nil
}

func (d *door) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", loopback(d.front))
	if err != nil {
		return err
	}
	d.listener = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go d.pass(c.(*net.TCPConn))
		}
	}()
	return nil
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil {
		d.listener.Close()
		d.listener = nil
	}
}

func (d *door) flow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stalled != nil {
		close(d.stalled)
		d.stalled = nil
	}
}

// drop resets every connection, as a broken network path does.
func (d *door) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range d.inside {
		p.client.SetLinger(0)
		p.client.Close()
		p.server.Close()
	}
}

func (d *door) waitForFlow() {
	d.mu.Lock()
	stalled := d.stalled
	d.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
}

func (d *door) pass(client *net.TCPConn) {
	defer client.Close()
	d.waitForFlow()
	c, err := net.DialTimeout("tcp", loopback(d.back), 5*time.Second)
	if err != nil {
		client.SetLinger(0) // a reset, not an orderly end: nobody has answered
		return
	}
	server := c.(*net.TCPConn)
	defer server.Close()
	p := &passage{client, server}
	d.mu.Lock()
	d.inside[p] = true
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.inside, p)
		d.mu.Unlock()
	}()
	var both sync.WaitGroup
	both.Go(func() { d.copy(server, client) })
	both.Go(func() { d.copy(client, server) })
	both.Wait()
}

func (d *door) copy(to, from *net.TCPConn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		d.waitForFlow()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				from.Close()
				return
			}
		}
		if err == io.EOF {
			to.CloseWrite()
			return
		}
		if err != nil {
			to.SetLinger(0)
			to.Close()
			return
		}
	}
}

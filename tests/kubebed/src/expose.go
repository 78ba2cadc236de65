package main

import (
	"fmt"
	"math/rand"
	"net"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// exposed holds the Services that can be reached on a port of this machine, as
// through a NodePort: each new connection goes to one ready pod, chosen by
// chance, and stays with it to its end. That is what kube-proxy does.
type exposed struct {
	kubelet *kubelet

	mu        sync.Mutex
	listeners map[string]net.Listener // by Service
}

// set exposes a Service of the application on a port; 0 ends that.
func (e *exposed) set(service string, port int) error {
	s, err := e.kubelet.services.Services(appNamespace).Get(service)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if old := e.listeners[service]; old != nil {
		old.Close()
		delete(e.listeners, service)
	}
	if port == 0 {
		return nil
	}
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return err
	}
	if e.listeners == nil {
		e.listeners = map[string]net.Listener{}
	}
	e.listeners[service] = l
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go e.connect(client.(*net.TCPConn), s.Name)
		}
	}()
	return nil
}

func (e *exposed) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.listeners {
		l.Close()
	}
}

func (e *exposed) connect(client *net.TCPConn, service string) {
	defer client.Close()
	p, server, err := e.dial(service)
	if err != nil {
		client.SetLinger(0) // the nearest to "connection refused" that is left
		return
	}
	p.tap.pass(client, server)
}

func (e *exposed) dial(service string) (*pod, *net.TCPConn, error) {
	s, err := e.kubelet.services.Services(appNamespace).Get(service)
	if err != nil {
		return nil, nil, err
	}
	listed, err := e.kubelet.pods.Pods(appNamespace).List(labels.SelectorFromSet(s.Spec.Selector))
	if err != nil {
		return nil, nil, err
	}
	var ready []*corev1.Pod
	for _, p := range listed {
		if isReady(p) {
			ready = append(ready, p)
		}
	}
	if len(ready) == 0 {
		return nil, nil, fmt.Errorf("%s has no endpoint: %w", service, syscall.ECONNREFUSED)
	}
	chosen := ready[rand.Intn(len(ready))]
	p := e.kubelet.find(chosen.Namespace, chosen.Name)
	if p == nil {
		return nil, nil, syscall.ECONNREFUSED
	}
	c, err := p.dial(targetPort(s, chosen))
	return p, c, err
}

// targetPort is the container's port behind the first one of a Service.
func targetPort(s *corev1.Service, p *corev1.Pod) int32 {
	port := s.Spec.Ports[0]
	if name := port.TargetPort.StrVal; name != "" {
		for _, c := range p.Spec.Containers {
			for _, its := range c.Ports {
				if its.Name == name {
					return its.ContainerPort
				}
			}
		}
	}
	if n := port.TargetPort.IntVal; n != 0 {
		return n
	}
	return port.Port
}

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

const (
	forwardIdle     = 4 * time.Hour // streaming-connection-idle-timeout of a kubelet
	forwardCreation = 30 * time.Second
)

// serve answers what API servers ask of kubelets: logs and port-forwards.
func (k *kubelet) serve() error {
	config, err := serverTLS(k.bed.state, "ca")
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", loopback(k.bed.options.kubelet()), config)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.serveLog)
	mux.HandleFunc("/portForward/{namespace}/{pod}", k.servePortForward)
	go http.Serve(l, mux)
	return nil
}

// serverTLS asks the API server for a certificate that the named authority signed.
func serverTLS(s state, authority string) (*tls.Config, error) {
	ca, err := os.ReadFile(s.path("pki", authority+".crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	cert, err := tls.LoadX509KeyPair(s.path("pki", "serving.crt"), s.path("pki", "serving.key"))
	// HTTP/2 has no upgrade, which port-forwards need.
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		NextProtos: []string{"http/1.1"}}, err
}

func (k *kubelet) servePortForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name := r.PathValue("pod") + "_" + r.PathValue("namespace")
	uid := ""
	if p := k.find(r.PathValue("namespace"), r.PathValue("pod")); p != nil {
		uid = string(p.uid)
	}
	portforward.ServePortForward(w, r, k, name, uid, options, forwardIdle, forwardCreation, portforward.SupportedProtocols)
}

// PortForward connects one stream with one port of a pod, as a container
// runtime does. A stream stays with its pod: it ends with the pod's process.
func (k *kubelet) PortForward(_ context.Context, name, uid string, port int32, stream io.ReadWriteCloser) error {
	podName, namespace, _ := strings.Cut(name, "_")
	p := k.find(namespace, podName)
	if p == nil || string(p.uid) != uid {
		return fmt.Errorf("failed to find sandbox %q in store: not found", uid)
	}
	server, err := p.dial(port)
	if err != nil {
		return fmt.Errorf("failed to execute portforward in network namespace %q: failed to connect to localhost:%d inside namespace %q, IPv4: %w", p.ip, port, uid, err)
	}
	p.tap.pass(stream, server)
	return nil
}

func (p *pod) dial(port int32) (*net.TCPConn, error) {
	address, err := p.address(port)
	if err != nil {
		return nil, err
	}
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

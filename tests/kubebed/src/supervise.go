package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// bed is a running bed: its parts, and the simulated rest of the cluster.
type bed struct {
	state
	options
	kube    *kubernetes.Clientset
	door    *door
	kubelet *kubelet
	sim     *sim
	exposed *exposed

	mu    sync.Mutex
	parts []*part
	dead  chan string
}

// part is one of Kubernetes' own programs.
type part struct {
	name   string
	cmd    *exec.Cmd
	done   chan struct{}
	asked  bool // to end
	paused bool
}

// supervise starts every part, keeps watch and ends them all: at SIGTERM, when
// the time to live is over, or when one of them dies.
func supervise(s state) error {
	go keepStarting()
	o, err := s.load()
	if err != nil {
		return err
	}
	o.PID, o.Started = os.Getpid(), time.Now()
	if err := s.save(o); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if o.TTL > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.TTL)
		defer cancel()
	}
	b := &bed{state: s, options: o, dead: make(chan string, 16)}
	defer b.stopAll()
	if err := b.start(ctx); err != nil {
		return err
	}
	fmt.Printf("ready after %.1f s\n", time.Since(o.Started).Seconds())
	if err := os.WriteFile(s.path("ready"), nil, 0o600); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		fmt.Println("ended: asked to, or its time to live was over (up --ttl)")
		return nil
	case name := <-b.dead:
		return fmt.Errorf("%s died: see logs/%s.log", name, name)
	}
}

// run starts a part; its log goes on where one of that name ended before.
func (b *bed) run(name string, args ...string) error {
	program, err := kubeProgram()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(b.path("logs", name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, append([]string{name}, args...)...)
	cmd.Dir = string(b.state)
	cmd.Stdout, cmd.Stderr = log, log
	if err := start(cmd); err != nil {
		return err
	}
	p := &part{name: name, cmd: cmd, done: make(chan struct{})}
	b.mu.Lock()
	b.parts = append(b.parts, p)
	b.mu.Unlock()
	go func() {
		cmd.Wait()
		b.mu.Lock()
		expected := p.asked
		b.mu.Unlock()
		close(p.done)
		if !expected {
			b.dead <- name
		}
	}()
	return nil
}

// part finds a running one; nil if there is none.
func (b *bed) part(name string) *part {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.parts {
		if p.name == name && !p.asked {
			return p
		}
	}
	return nil
}

// end ends a part, politely at first.
func (b *bed) end(p *part, patience time.Duration) {
	b.mu.Lock()
	p.asked = true
	b.mu.Unlock()
	select {
	case <-p.done:
		return
	default:
	}
	pid := p.cmd.Process.Pid
	syscall.Kill(pid, syscall.SIGTERM)
	syscall.Kill(pid, syscall.SIGCONT)
	select {
	case <-p.done:
	case <-time.After(patience):
		syscall.Kill(pid, syscall.SIGKILL)
		<-p.done
	}
}

// The API server drains open watches for long: nobody waits for that here.
const apiserverPatience = time.Second

func (b *bed) stopAll() {
	if b.exposed != nil {
		b.exposed.close()
	}
	if b.kubelet != nil {
		b.kubelet.close()
	}
	b.mu.Lock()
	parts := b.parts
	b.mu.Unlock()
	for i := len(parts) - 1; i >= 0; i-- {
		patience := 3 * time.Second
		if parts[i].name == "apiserver" {
			patience = apiserverPatience
		}
		b.end(parts[i], patience)
	}
	os.RemoveAll(b.path("etcd"))
	os.Remove(b.path("ready"))
}

// until tries f each 100 ms, as long as nothing dies.
func (b *bed) until(ctx context.Context, what string, limit time.Duration, f func() error) error {
	deadline := time.Now().Add(limit)
	for {
		last := f()
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped while waiting for %s", what)
		case name := <-b.dead:
			return fmt.Errorf("%s died while waiting for %s:\n%s", name, what, tail(b.path("logs", name+".log"), 8))
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s: %w", what, limit, last)
		}
	}
}

func httpOK(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return fmt.Errorf("%s: %s %s", url, resp.Status, text)
	}
	return nil
}

// isReady asks the API server whether it is.
func (b *bed) isReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := b.kube.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

func (b *bed) start(ctx context.Context) error {
	if err := writePKI(b.state, b.options); err != nil {
		return err
	}
	if err := b.run("etcd", b.etcdArgs()...); err != nil {
		return err
	}
	plain := &http.Client{Timeout: 2 * time.Second}
	if err := b.until(ctx, "etcd", 30*time.Second, func() error { return httpOK(plain, "http://"+loopback(b.etcd())+"/health") }); err != nil {
		return err
	}
	if err := b.run("apiserver", b.apiserverArgs()...); err != nil {
		return err
	}
	var err error
	if b.kube, err = b.client(); err != nil {
		return err
	}
	if b.door, err = openDoor(b.Port, b.options.apiserver()); err != nil {
		return err
	}
	if err := b.until(ctx, "the API server", 90*time.Second, b.isReady); err != nil {
		return err
	}
	if err := b.run("controller-manager", b.controllerManagerArgs()...); err != nil {
		return err
	}
	if err := b.run("scheduler", "--kubeconfig="+b.path("pki/scheduler.conf"),
		"--authentication-skip-lookup", "--secure-port=0", "--leader-elect=false"); err != nil {
		return err
	}
	if b.kubelet, err = startKubelet(ctx, b); err != nil {
		return err
	}
	b.exposed = &exposed{kubelet: b.kubelet}
	b.sim = newSim(b)
	if err := b.sim.serve(ctx); err != nil {
		return err
	}
	if err := b.serveControl(); err != nil {
		return err
	}
	manifest, err := b.metricsManifest()
	if err != nil {
		return err
	}
	if err := b.until(ctx, "the metrics API's registration", 30*time.Second, func() error { return b.apply(manifest) }); err != nil {
		return err
	}
	if err := b.until(ctx, "metrics.k8s.io", 60*time.Second, func() error {
		_, err := b.kube.Discovery().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1/nodes").DoRaw(ctx)
		return err
	}); err != nil {
		return err
	}
	return b.until(ctx, "the default service account", 30*time.Second, func() error {
		_, err := b.kube.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (b *bed) etcdArgs() []string {
	client, peer := "http://"+loopback(b.etcd()), "http://"+loopback(b.peer())
	return []string{"--name=kubebed", "--data-dir=" + b.path("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=kubebed=" + peer,
		"--unsafe-no-fsync", "--log-level=warn"}
}

func (b *bed) apiserverArgs() []string {
	pki := func(name string) string { return b.path("pki", name) }
	return []string{
		"--etcd-servers=http://" + loopback(b.etcd()),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", b.options.apiserver()),
		"--endpoint-reconciler-type=none", // a loopback address may not be in the kubernetes Endpoints
		"--service-cluster-ip-range=10.96.0.0/16",
		"--tls-cert-file=" + pki("serving.crt"), "--tls-private-key-file=" + pki("serving.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki("sa.crt"), "--service-account-signing-key-file=" + pki("sa.key"),
		"--requestheader-client-ca-file=" + pki("front-ca.crt"),
		"--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki("front.crt"), "--proxy-client-key-file=" + pki("front.key"),
		"--kubelet-client-certificate=" + pki("kubelet-client.crt"), "--kubelet-client-key=" + pki("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--enable-priority-and-fairness=false",
		"--shutdown-delay-duration=0s",
	}
}

func (b *bed) controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + b.path("pki/controller-manager.conf"),
		"--authentication-skip-lookup", "--secure-port=0", "--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + b.path("pki/sa.key"), "--root-ca-file=" + b.path("pki/ca.crt"),
		"--controllers=" + strings.Join([]string{
			"deployment-controller", "replicaset-controller", "statefulset-controller", "daemonset-controller",
			"job-controller", "horizontal-pod-autoscaler-controller", "disruption-controller",
			"endpoints-controller", "endpointslice-controller", "namespace-controller",
			"serviceaccount-controller", "serviceaccount-token-controller", "root-ca-certificate-publisher-controller",
			"garbage-collector-controller", "node-lifecycle-controller", "taint-eviction-controller"}, ","),
		"--horizontal-pod-autoscaler-sync-period=" + b.Sync.String(),
		"--horizontal-pod-autoscaler-downscale-stabilization=" + b.Downscale.String(),
		"--horizontal-pod-autoscaler-cpu-initialization-period=" + b.CPUInit.String(),
		"--horizontal-pod-autoscaler-initial-readiness-delay=" + b.ReadyDelay.String(),
	}
}

// metricsManifest makes the API server ask the simulator for metrics.k8s.io.
func (b *bed) metricsManifest() ([]byte, error) {
	ca, err := os.ReadFile(b.path("pki", "ca.crt"))
	return fmt.Appendf(nil, `apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec: {type: ExternalName, externalName: localhost}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  caBundle: %s
  service: {name: metrics-server, namespace: kube-system, port: %d}
`, base64.StdEncoding.EncodeToString(ca), b.options.metrics()), err
}

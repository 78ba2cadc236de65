package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// kubelet stands for the kubelets of all nodes: it gives each pod a process of
// this machine in the place of its container, says in the pod's status what
// became of it, and answers for its logs and port-forwards.
type kubelet struct {
	bed      *bed
	ctx      context.Context
	pods     listers.PodLister
	nodes    listers.NodeLister
	services listers.ServiceLister
	recorder record.EventRecorder
	ports    portPool

	mu      sync.Mutex
	plans   map[string]plan // by the pods' label "app"
	workers map[types.UID]*pod
	gone    []podReport // of pods that are no more
	closing bool
	all     sync.WaitGroup
}

func startKubelet(ctx context.Context, b *bed) (*kubelet, error) {
	factory := informers.NewSharedInformerFactory(b.kube, 0)
	core := factory.Core().V1()
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: b.kube.CoreV1().Events("")})
	k := &kubelet{
		bed: b, ctx: ctx, pods: core.Pods().Lister(), nodes: core.Nodes().Lister(), services: core.Services().Lister(),
		recorder: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet"}),
		ports:    portPool{first: b.firstPodPort(), n: podPorts},
		plans:    map[string]plan{}, workers: map[types.UID]*pod{},
	}
	if err := k.startNodes(ctx); err != nil {
		return nil, err
	}
	_, err := core.Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { k.see(o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { k.see(o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = unknown.Obj
			}
			k.forget(o.(*corev1.Pod))
		},
	})
	if err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil, fmt.Errorf("the kubelet could not list %s", kind)
		}
	}
	return k, k.serve()
}

// see takes note of a pod as the API server has it now.
func (k *kubelet) see(p *corev1.Pod) {
	if p.Spec.NodeName == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	w, known := k.workers[p.UID]
	if !known {
		if k.closing || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			return
		}
		w = newPod(k, p)
		k.workers[p.UID] = w
		k.all.Go(w.live)
	}
	w.tell(p)
}

// forget ends a pod that was taken out of the API by force.
func (k *kubelet) forget(p *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w, known := k.workers[p.UID]; known {
		w.removed.Do(func() { close(w.isRemoved) })
	}
}

// buried is called by a pod's worker when nothing of the pod is left.
func (k *kubelet) buried(p *pod) {
	report := p.report()
	report.Gone = true
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.workers, p.uid)
	k.gone = append(k.gone, report)
}

// find is the living pod of that name; nil if there is none.
func (k *kubelet) find(namespace, name string) *pod {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range k.workers {
		if w.namespace == namespace && w.name == name {
			return w
		}
	}
	return nil
}

func (k *kubelet) living() []*pod {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []*pod
	for _, w := range k.workers {
		all = append(all, w)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].key() < all[j].key() })
	return all
}

// reports says of each pod, the gone ones included, what came to it.
func (k *kubelet) reports() []podReport {
	k.mu.Lock()
	all := append([]podReport{}, k.gone...)
	k.mu.Unlock()
	for _, w := range k.living() {
		all = append(all, w.report())
	}
	return all
}

// choose picks the pods that a command names: by name, or one or all of an app.
func (k *kubelet) choose(names []string, app string, one bool) ([]*pod, error) {
	var chosen []*pod
	for _, name := range names {
		w := k.find(appNamespace, name)
		if w == nil {
			return nil, fmt.Errorf("no pod is called %q in %s", name, appNamespace)
		}
		chosen = append(chosen, w)
	}
	if app != "" {
		for _, w := range k.living() {
			if w.namespace == appNamespace && w.app == app && w.isRunning() {
				if chosen = append(chosen, w); one {
					break
				}
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no running pod: name one, or say --one or --all")
	}
	return chosen, nil
}

// close ends every process behind a pod, at once.
func (k *kubelet) close() {
	k.mu.Lock()
	k.closing = true
	for _, w := range k.workers {
		w.removed.Do(func() { close(w.isRemoved) })
	}
	k.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		k.all.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second): // what is left dies with this process
	}
}

func (k *kubelet) plan(app string) plan {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.plans[app]
}

func (k *kubelet) setPlan(app string, p plan) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.plans[app] = p
}

// event records one as a kubelet does: about a container if one is named.
func (k *kubelet) event(p *pod, container, kind, reason, format string, args ...any) {
	about := &corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: p.namespace, Name: p.name, UID: p.uid}
	if container != "" {
		about.FieldPath = "spec.containers{" + container + "}"
	}
	k.recorder.Eventf(about, kind, reason, "%s", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

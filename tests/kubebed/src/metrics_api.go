package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

func cpuMem(u usage) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(int64(u.milli*1e6), resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(int64(u.bytes)>>10<<10, resource.BinarySI),
	}
}

func (s *sim) podMetrics(p *corev1.Pod) (v1beta1.PodMetrics, bool) {
	u, ok := s.samples[podKey(p)]
	if !ok {
		return v1beta1.PodMetrics{}, false
	}
	m := v1beta1.PodMetrics{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, CreationTimestamp: metav1.NewTime(u.at)},
		Timestamp:  metav1.NewTime(u.at),
		Window:     metav1.Duration{Duration: u.window.Round(time.Millisecond)},
	}
	n := float64(len(p.Spec.Containers))
	for _, c := range p.Spec.Containers {
		m.Containers = append(m.Containers, v1beta1.ContainerMetrics{Name: c.Name, Usage: cpuMem(usage{milli: u.milli / n, bytes: u.bytes / n})})
	}
	return m, true
}

func (s *sim) nodeMetrics(n *corev1.Node, pods []*corev1.Pod) v1beta1.NodeMetrics {
	u := usage{milli: 80, bytes: 700 << 20, at: s.lastAt, window: s.bed.Resolution}
	for _, p := range pods {
		if p.Spec.NodeName == n.Name {
			u.milli += s.samples[podKey(p)].milli
			u.bytes += s.samples[podKey(p)].bytes
		}
	}
	return v1beta1.NodeMetrics{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels, CreationTimestamp: metav1.NewTime(u.at)},
		Timestamp:  metav1.NewTime(u.at), Window: metav1.Duration{Duration: u.window}, Usage: cpuMem(u),
	}
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	writeJSON(w, code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status: "Failure", Message: message, Reason: reason, Code: int32(code)})
}

// metricsAPI answers as metrics-server does, for the API server's aggregator.
func (s *sim) metricsAPI(w http.ResponseWriter, r *http.Request) {
	const gv = "metrics.k8s.io/v1beta1"
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load.Metrics == "off" {
		refuse(w, 503, metav1.StatusReasonServiceUnavailable, "the metrics are switched off")
		return
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.URL.Path == "/apis" || r.URL.Path == "/apis/metrics.k8s.io" {
		v := metav1.GroupVersionForDiscovery{GroupVersion: gv, Version: "v1beta1"}
		g := metav1.APIGroup{TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: "metrics.k8s.io",
			Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
		if r.URL.Path == "/apis" {
			writeJSON(w, 200, metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{g}})
		} else {
			writeJSON(w, 200, g)
		}
		return
	}
	if len(path) < 3 || path[0] != "apis" || path[1]+"/"+path[2] != gv {
		refuse(w, 404, metav1.StatusReasonNotFound, "no such path")
		return
	}
	path = path[3:]
	if len(path) == 0 {
		writeJSON(w, 200, metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv,
			APIResources: []metav1.APIResource{
				{Name: "nodes", Kind: "NodeMetrics", Verbs: metav1.Verbs{"get", "list"}},
				{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: metav1.Verbs{"get", "list"}},
			}})
		return
	}
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		refuse(w, 400, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	namespace := ""
	if path[0] == "namespaces" && len(path) > 2 {
		namespace, path = path[1], path[2:]
	}
	pods, _ := s.kubelet.pods.List(labels.Everything())
	sort.Slice(pods, func(i, j int) bool { return podKey(pods[i]) < podKey(pods[j]) })
	switch {
	case path[0] == "pods" && len(path) == 1:
		list := v1beta1.PodMetricsList{TypeMeta: metav1.TypeMeta{Kind: "PodMetricsList", APIVersion: gv}, Items: []v1beta1.PodMetrics{}}
		for _, p := range pods {
			if namespace != "" && p.Namespace != namespace || !selector.Matches(labels.Set(p.Labels)) {
				continue
			}
			if m, ok := s.podMetrics(p); ok && s.load.Metrics != "empty" {
				list.Items = append(list.Items, m)
			}
		}
		writeJSON(w, 200, list)
		return
	case path[0] == "pods" && len(path) == 2:
		for _, p := range pods {
			if p.Namespace == namespace && p.Name == path[1] {
				if m, ok := s.podMetrics(p); ok {
					m.TypeMeta = metav1.TypeMeta{Kind: "PodMetrics", APIVersion: gv}
					writeJSON(w, 200, m)
					return
				}
			}
		}
	case path[0] == "nodes":
		nodes, _ := s.kubelet.nodes.List(selector)
		sort.Slice(nodes, func(i, j int) bool { return nodes[i].Name < nodes[j].Name })
		list := v1beta1.NodeMetricsList{TypeMeta: metav1.TypeMeta{Kind: "NodeMetricsList", APIVersion: gv}, Items: []v1beta1.NodeMetrics{}}
		for _, n := range nodes {
			m := s.nodeMetrics(n, pods)
			if len(path) == 2 && path[1] == n.Name {
				m.TypeMeta = metav1.TypeMeta{Kind: "NodeMetrics", APIVersion: gv}
				writeJSON(w, 200, m)
				return
			}
			list.Items = append(list.Items, m)
		}
		if len(path) == 1 {
			writeJSON(w, 200, list)
			return
		}
	}
	refuse(w, 404, metav1.StatusReasonNotFound, fmt.Sprintf("no metrics known for %s", r.URL.Path))
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	leaseNamespace  = "kube-node-lease"
	leaseDuration   = 40 * time.Second
	leaseRenewal    = 10 * time.Second
	kubeletVersion  = "v1.36.3"
	memoryOfOneNode = "16Gi"
)

// startNodes registers the nodes and keeps their leases alive.
func (k *kubelet) startNodes(ctx context.Context) error {
	for i := 1; i <= k.bed.Nodes; i++ {
		name := fmt.Sprintf("node-%d", i)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}}}
		if _, err := k.bed.kube.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return err
		}
		if err := k.patchNode(ctx, name, k.nodeStatus(name, resource.MustParse(k.bed.NodeCPU))); err != nil {
			return err
		}
	}
	go func() {
		for tick := time.Tick(leaseRenewal); ; {
			for i := 1; i <= k.bed.Nodes; i++ {
				k.renew(ctx, fmt.Sprintf("node-%d", i))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick:
			}
		}
	}()
	return nil
}

func (k *kubelet) nodeStatus(name string, cpu resource.Quantity) corev1.NodeStatus {
	has := corev1.ResourceList{corev1.ResourceCPU: cpu,
		corev1.ResourceMemory: resource.MustParse(memoryOfOneNode), corev1.ResourcePods: resource.MustParse("110")}
	now := metav1.Now()
	return corev1.NodeStatus{
		Capacity: has, Allocatable: has, Phase: corev1.NodeRunning,
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
			Message: "kubelet is posting ready status", LastHeartbeatTime: now, LastTransitionTime: now}},
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}, {Type: corev1.NodeHostName, Address: name}},
		NodeInfo: corev1.NodeSystemInfo{KubeletVersion: kubeletVersion, OperatingSystem: "linux", Architecture: "amd64",
			ContainerRuntimeVersion: "kubebed://1", OSImage: "simulated"},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(k.bed.options.kubelet())}},
	}
}

func (k *kubelet) patchNode(ctx context.Context, name string, status any) error {
	raw, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = k.bed.kube.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, raw, metav1.PatchOptions{}, "status")
	return err
}

// setNodeCPU changes what the scheduler may give away on each node.
func (k *kubelet) setNodeCPU(ctx context.Context, cpu string) error {
	if _, err := resource.ParseQuantity(cpu); err != nil {
		return fmt.Errorf("nodes: --cpu %q: %w", cpu, err)
	}
	for i := 1; i <= k.bed.Nodes; i++ {
		has := map[string]string{"cpu": cpu}
		if err := k.patchNode(ctx, fmt.Sprintf("node-%d", i), map[string]any{"capacity": has, "allocatable": has}); err != nil {
			return err
		}
	}
	return nil
}

// renew says that a node lives. It may fail while the API server is away; then
// the next one counts, as on a real node.
func (k *kubelet) renew(ctx context.Context, node string) {
	ctx, cancel := context.WithTimeout(ctx, leaseRenewal)
	defer cancel()
	leases := k.bed.kube.CoordinationV1().Leases(leaseNamespace)
	now, seconds := metav1.NowMicro(), int32(leaseDuration.Seconds())
	spec := coordinationv1.LeaseSpec{HolderIdentity: &node, LeaseDurationSeconds: &seconds, RenewTime: &now}
	lease, err := leases.Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: node}, Spec: spec}, metav1.CreateOptions{})
		return
	}
	lease.Spec = spec
	leases.Update(ctx, lease, metav1.UpdateOptions{})
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const apiPatience = 3 * time.Second

// status is how the pod is now, in the API's words.
func (p *pod) status() corev1.PodStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := corev1.PodStatus{Phase: p.phase, StartTime: &metav1.Time{Time: p.started}}
	if p.ip != "" {
		s.HostIP, s.HostIPs = "127.0.0.1", []corev1.HostIP{{IP: "127.0.0.1"}}
		s.PodIP, s.PodIPs = p.ip, []corev1.PodIP{{IP: p.ip}}
	}
	var unready []string
	for _, c := range p.containers {
		s.ContainerStatuses = append(s.ContainerStatuses, c.status())
		if !c.isReady() {
			unready = append(unready, c.name)
		}
	}
	is := func(b bool) corev1.ConditionStatus {
		if b {
			return corev1.ConditionTrue
		}
		return corev1.ConditionFalse
	}
	reason, message := "", ""
	switch {
	case p.phase == corev1.PodSucceeded:
		reason = "PodCompleted"
	case len(unready) > 0:
		reason, message = "ContainersNotReady", fmt.Sprintf("containers with unready status: %v", unready)
	}
	p.condition(corev1.PodScheduled, corev1.ConditionTrue, "", "")
	p.condition(corev1.PodReadyToStartContainers, is(p.ip != ""), "", "")
	p.condition(corev1.PodInitialized, corev1.ConditionTrue, "", "")
	p.condition(corev1.ContainersReady, is(len(unready) == 0), reason, message)
	p.condition(corev1.PodReady, is(len(unready) == 0), reason, message)
	for _, kind := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		s.Conditions = append(s.Conditions, p.conditions[kind])
	}
	return s
}

// condition sets one; its time is that of its last change.
func (p *pod) condition(kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) {
	c := corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Now()}
	if was, ok := p.conditions[kind]; ok && was.Status == status {
		c.LastTransitionTime = was.LastTransitionTime
	}
	p.conditions[kind] = c
}

func (c *container) status() corev1.ContainerStatus {
	started := c.run != nil
	s := corev1.ContainerStatus{Name: c.name, Image: c.spec.Image, Ready: c.isReady(), Started: &started,
		RestartCount: c.restarts, State: c.state}
	if c.run != nil || len(c.ends) > 0 {
		s.ImageID, s.ContainerID = c.spec.Image, c.id(c.instance)
	}
	if n := c.last(); n >= 0 {
		s.LastTerminationState = corev1.ContainerState{Terminated: c.ends[n]}
	}
	return s
}

func asText(status corev1.PodStatus) string {
	raw, _ := json.Marshal(status) // a status always can be
	return string(raw)
}

// report puts a pod's status into the API. The uid keeps it from a namesake.
func (k *kubelet) report(p *pod, status corev1.PodStatus) error {
	raw, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.uid}, "status": status})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(k.ctx, apiPatience)
	defer cancel()
	_, err = k.bed.kube.CoreV1().Pods(p.namespace).Patch(ctx, p.name, types.MergePatchType, raw, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsInvalid(err) {
		fmt.Printf("status of %s: %v\n", p.key(), err)
		return nil // gone, or no better the next time
	}
	return err
}

// remove takes a pod that has ended out of the API, which only waits for that.
func (k *kubelet) remove(p *pod) {
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &p.uid}}
	for k.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(k.ctx, apiPatience)
		err := k.bed.kube.CoreV1().Pods(p.namespace).Delete(ctx, p.name, options)
		cancel()
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-p.isRemoved:
			return
		}
	}
}

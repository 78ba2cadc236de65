package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const reader = "reader"

// rights changes what the reader may do: all that a load test needs
// (manifests/reader.yaml), nothing, or all without some resources or verbs.
func (c client) rights(args []string) error {
	words, err := wordsOf(flags("rights"), args, -1, "")
	if err != nil {
		return err
	}
	if len(words) == 0 || !slices.Contains([]string{"all", "none", "without"}, words[0]) || (words[0] == "without") != (len(words) > 1) {
		return errors.New("rights: all, none, or without RESOURCE[:VERB]...")
	}
	raw, err := manifests.ReadFile("manifests/reader.yaml")
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(string(raw), "\n---\n")
	var role rbacv1.Role
	if err := yaml.Unmarshal([]byte(first), &role); err != nil {
		return err
	}
	if words[0] == "none" {
		role.Rules = []rbacv1.PolicyRule{}
	}
	for _, what := range words[1:] {
		if role.Rules, err = without(role.Rules, what); err != nil {
			return err
		}
	}
	changed, err := json.Marshal(role)
	if err != nil {
		return err
	}
	return c.apply([]byte(string(changed) + "\n---\n" + rest))
}

func without(rules []rbacv1.PolicyRule, what string) ([]rbacv1.PolicyRule, error) {
	resource, verb, _ := strings.Cut(what, ":")
	group, found := "", false
	if i := strings.Index(resource, "."); i > 0 { // pods.metrics.k8s.io, as kubectl writes it
		resource, group = resource[:i], resource[i+1:]
	}
	var left []rbacv1.PolicyRule
	for _, r := range rules {
		if !slices.Contains(r.Resources, resource) || group != "" && !slices.Contains(r.APIGroups, group) || group == "" && slices.Contains(r.APIGroups, "metrics.k8s.io") {
			left = append(left, r)
			continue
		}
		found = true
		others, of := r, r
		others.Resources = slices.DeleteFunc(slices.Clone(r.Resources), func(s string) bool { return s == resource })
		if len(others.Resources) > 0 {
			left = append(left, others)
		}
		of.Resources = []string{resource}
		of.Verbs = slices.DeleteFunc(slices.Clone(r.Verbs), func(s string) bool { return verb == "" || s == verb })
		if len(of.Verbs) > 0 {
			left = append(left, of)
		}
	}
	if !found {
		return nil, fmt.Errorf("rights: the reader has none on %q anyway (pods of the metrics API are pods.metrics.k8s.io)", what)
	}
	return left, nil
}

// writeTokens makes the kubeconfigs of the service account: kubeconfig-token has
// its token in it, kubeconfig-exec gets it from a program.
func (c client) writeTokens() error {
	hour := int64(3600)
	token, err := c.kube.CoreV1().ServiceAccounts(appNamespace).CreateToken(background, reader,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.path("pki", "ca.crt"))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	exec := fmt.Sprintf("{exec: {apiVersion: client.authentication.k8s.io/v1, command: %q, args: [credential], interactiveMode: Never, env: [{name: KUBEBED_STATE, value: %q}]}}", self, string(c.state))
	return errors.Join(
		os.WriteFile(c.path("token"), []byte(token.Status.Token), 0o600),
		os.WriteFile(c.path("kubeconfig-token"), kubeconfig(c.Port, ca, "reader-token", "{token: "+token.Status.Token+"}"), 0o600),
		os.WriteFile(c.path("kubeconfig-exec"), kubeconfig(c.Port, ca, "reader-exec", exec), 0o600))
}

// credential answers as an exec plugin of a kubeconfig.
func credential(s state) error {
	token, err := os.ReadFile(s.path("token"))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]string{"token": string(token)}})
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// keypair is a certificate and its key, both as PEM.
type keypair struct {
	cert            *x509.Certificate
	key             *ecdsa.PrivateKey
	certPEM, keyPEM []byte
}

func newPair(cn string, groups []string, signer *keypair, hosts ...string) (*keypair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: cn, Organization: groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(7 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	parent, parentKey := t, key
	if signer == nil {
		t.IsCA, t.BasicConstraintsValid = true, true
		t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
		t.ExtKeyUsage = nil
	} else {
		parent, parentKey = signer.cert, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), parentKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &keypair{cert, key,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})}, nil
}

func (p *keypair) write(base string) error {
	if err := os.WriteFile(base+".crt", p.certPEM, 0o600); err != nil {
		return err
	}
	return os.WriteFile(base+".key", p.keyPEM, 0o600)
}

const metricsHost = "metrics-server.kube-system.svc"

// writePKI makes every certificate of one bed and the kubeconfig of each user.
func writePKI(s state, o options) error {
	if err := os.MkdirAll(s.path("pki"), 0o700); err != nil {
		return err
	}
	ca, err := newPair("kubebed-ca", nil, nil)
	if err != nil {
		return err
	}
	front, err := newPair("kubebed-front-ca", nil, nil)
	if err != nil {
		return err
	}
	sa, err := newPair("service-accounts", nil, nil)
	if err != nil {
		return err
	}
	made := map[string]*keypair{"ca": ca, "front-ca": front, "sa": sa}
	for _, c := range []struct {
		name, cn string
		groups   []string
		signer   *keypair
		hosts    []string
	}{
		{"serving", "kubebed", nil, ca, []string{"127.0.0.1", "localhost", "10.96.0.1", "kubernetes", "kubernetes.default.svc", metricsHost}},
		{"front", "front-proxy", nil, front, nil},
		{"admin", "admin", []string{"system:masters"}, ca, nil},
		{"kubelet-client", "apiserver-kubelet", []string{"system:masters"}, ca, nil},
		{"controller-manager", "system:kube-controller-manager", nil, ca, nil},
		{"scheduler", "system:kube-scheduler", nil, ca, nil},
		{"reader", "reader", nil, ca, nil},
	} {
		p, err := newPair(c.cn, c.groups, c.signer, c.hosts...)
		if err != nil {
			return err
		}
		made[c.name] = p
	}
	for name, p := range made {
		if err := p.write(s.path("pki", name)); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		user, file string
		port       int
	}{
		{"admin", "kubeconfig", o.Port}, {"reader", "kubeconfig-reader", o.Port},
		// The cluster's own parts do not go through the door.
		{"admin", "pki/admin.conf", o.apiserver()},
		{"controller-manager", "pki/controller-manager.conf", o.apiserver()}, {"scheduler", "pki/scheduler.conf", o.apiserver()},
	} {
		b64 := base64.StdEncoding.EncodeToString
		credentials := fmt.Sprintf("{client-certificate-data: %s, client-key-data: %s}", b64(made[c.user].certPEM), b64(made[c.user].keyPEM))
		if err := os.WriteFile(s.path(c.file), kubeconfig(c.port, ca.certPEM, c.user, credentials), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func kubeconfig(port int, ca []byte, user, credentials string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: kubebed
contexts:
- name: kubebed
  context: {cluster: kubebed, user: %s, namespace: %s}
clusters:
- name: kubebed
  cluster: {server: "https://127.0.0.1:%d", certificate-authority-data: %s}
users:
- name: %s
  user: %s
`, user, appNamespace, port, base64.StdEncoding.EncodeToString(ca), user, credentials)
}

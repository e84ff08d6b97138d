package certs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/network"
)

// Names of the certificate files, without the extensions .crt and .key.
const (
	ClusterCA    = "ca"
	FrontProxyCA = "front-proxy-ca"
	EtcdCA       = "etcd-ca"

	APIServer        = "apiserver"
	APIServerKubelet = "apiserver-kubelet-client"
	APIServerEtcd    = "apiserver-etcd-client"
	FrontProxy       = "front-proxy-client"
	Etcd             = "etcd"
	Kubelet          = "kubelet"
	ServiceAccount   = "service-account"
)

// Names of the kubeconfig files, without the extension .kubeconfig.
const (
	AdminUser             = "admin"
	ControllerManagerUser = "controller-manager"
	SchedulerUser         = "scheduler"
	KubeletUser           = "kubelet"
	ProxyUser             = "proxy"
)

// certificate describes a certificate file to create.
type certificate struct {
	authority, file string
	subject         Subject
}

func certificates(p network.Plan) []certificate {
	node := []string{p.NodeName, p.NodeV4().String(), p.NodeV6().String()}
	api := append([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		"localhost", "127.0.0.1", "::1", p.APIServiceV4().String(),
	}, node...)
	return []certificate{
		{ClusterCA, APIServer, Subject{Name: "kube-apiserver", Hosts: api}},
		{ClusterCA, APIServerKubelet, Subject{Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}}},
		{ClusterCA, Kubelet, Subject{Name: "system:node:" + p.NodeName, Groups: []string{"system:nodes"}, Hosts: node}},
		{FrontProxyCA, FrontProxy, Subject{Name: "front-proxy-client"}},
		{EtcdCA, Etcd, Subject{Name: "etcd", Hosts: []string{"127.0.0.1", "localhost"}}},
		{EtcdCA, APIServerEtcd, Subject{Name: "kube-apiserver"}},
	}
}

// users maps each kubeconfig to its identity. The built-in roles of the API server refer to the system: names.
func users(p network.Plan) map[string]Subject {
	return map[string]Subject{
		AdminUser:             {Name: "osm-local-admin", Groups: []string{"system:masters"}},
		ControllerManagerUser: {Name: "system:kube-controller-manager"},
		SchedulerUser:         {Name: "system:kube-scheduler"},
		KubeletUser:           {Name: "system:node:" + p.NodeName, Groups: []string{"system:nodes"}},
		ProxyUser:             {Name: "system:kube-proxy"},
	}
}

// Write creates all certificates, keys and kubeconfigs of a cluster in the folder.
func Write(dir string, p network.Plan, now time.Time) error {
	authorities := map[string]*Authority{}
	for _, name := range []string{ClusterCA, FrontProxyCA, EtcdCA} {
		a, err := NewAuthority("osm-local "+name, now)
		if err != nil {
			return err
		}
		if err := a.write(dir, name); err != nil {
			return err
		}
		authorities[name] = a
	}
	for _, l := range certificates(p) {
		pair, err := authorities[l.authority].Issue(l.subject)
		if err != nil {
			return err
		}
		if err := pair.write(dir, l.file); err != nil {
			return err
		}
	}
	for name, subject := range users(p) {
		pair, err := authorities[ClusterCA].Issue(subject)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, name+".kubeconfig")
		if err := os.WriteFile(file, Kubeconfig(p.APIServer(), authorities[ClusterCA].Cert, pair), 0o600); err != nil {
			return err
		}
	}
	return writeServiceAccountKey(dir)
}

// writeServiceAccountKey creates the key that signs service account tokens. It is RSA because most clusters use RSA, so
// token verification is tested with RS256.
func writeServiceAccountKey(dir string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("cannot create the service account key: %w", err)
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, ServiceAccount+".key"), private, 0o600); err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	return os.WriteFile(filepath.Join(dir, ServiceAccount+".pub"), block, 0o644)
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: osm-local
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: osm-local
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: osm-local
  context: {cluster: osm-local, user: osm-local}
current-context: osm-local
`

// Kubeconfig renders a self-contained client configuration.
func Kubeconfig(server string, ca []byte, client Pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, kubeconfig, server, encode(ca), encode(client.Cert), encode(client.Key))
}

package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
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
	node := []string{p.NodeName}
	for _, address := range p.Nodes() {
		node = append(node, address.String())
	}
	api := append([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		"localhost", "127.0.0.1", "::1",
	}, node...)
	for _, address := range p.APIServices() {
		api = append(api, address.String())
	}
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
	if err := writeKubeconfigs(dir, p, authorities[ClusterCA], slices.Sorted(maps.Keys(users(p)))...); err != nil {
		return err
	}
	return writeServiceAccountKey(dir)
}

// WriteNode creates the certificate and the kubeconfigs of a further node in a folder. authorities is the folder that Write has filled for the cluster.
func WriteNode(dir, authorities string, p network.Plan, now time.Time) error {
	authority, err := loadAuthority(authorities, ClusterCA, now)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, ClusterCA+".crt"), authority.Cert, 0o644); err != nil {
		return err
	}
	for _, c := range certificates(p) {
		if c.file != Kubelet {
			continue
		}
		pair, err := authority.Issue(c.subject)
		if err != nil {
			return err
		}
		if err := pair.write(dir, c.file); err != nil {
			return err
		}
	}
	return writeKubeconfigs(dir, p, authority, KubeletUser, ProxyUser)
}

// writeKubeconfigs creates kubeconfigs of some users.
func writeKubeconfigs(dir string, p network.Plan, authority *Authority, names ...string) error {
	all := users(p)
	for _, name := range names {
		pair, err := authority.Issue(all[name])
		if err != nil {
			return err
		}
		file := filepath.Join(dir, name+".kubeconfig")
		if err := os.WriteFile(file, Kubeconfig(p.NodeName, p.APIServer(), authority.Cert, pair), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// loadAuthority reads an authority that write has stored.
func loadAuthority(dir, name string, now time.Time) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the authority %s: %w", name, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the key of the authority %s cannot sign", name)
	}
	stored := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	return &Authority{Pair: Pair{Cert: stored}, cert: pair.Leaf, key: signer, now: now}, nil
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
- name: %[1]s
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
users:
- name: %[1]s
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
contexts:
- name: %[1]s
  context: {cluster: %[1]s, user: %[1]s}
current-context: %[1]s
`

// Kubeconfig renders a self-contained client configuration. name is that of the context, so that files of several clusters can be merged.
func Kubeconfig(name, server string, ca []byte, client Pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, kubeconfig, name, server, encode(ca), encode(client.Cert), encode(client.Key))
}

// validity is the lifetime of every certificate.
const validity = 365 * 24 * time.Hour

// Pair is a certificate and its key, both in PEM.
type Pair struct{ Cert, Key []byte }

// Authority signs certificates.
type Authority struct {
	Pair
	cert *x509.Certificate
	key  crypto.Signer
	now  time.Time
}

// NewAuthority creates a self-signed authority. It is valid from one hour before now, to tolerate clock skew.
func NewAuthority(name string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	pair, cert, err := sign(template, template, key, key, now)
	if err != nil {
		return nil, fmt.Errorf("cannot create the authority %s: %w", name, err)
	}
	return &Authority{Pair: pair, cert: cert, key: key, now: now}, nil
}

// Subject is the identity in a certificate.
type Subject struct {
	// Name is the common name, which Kubernetes uses as the user.
	Name string
	// Groups are the organisations, which Kubernetes uses as the user's groups.
	Groups []string
	// Hosts are the DNS names and IP addresses of a server; empty for a client certificate.
	Hosts []string
}

// Issue creates a key and a certificate for client authentication and, with hosts, for server authentication.
func (a *Authority) Issue(s Subject) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: s.Name, Organization: s.Groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, h := range s.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	if len(s.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	pair, _, err := sign(template, a.cert, key, a.key, a.now)
	if err != nil {
		return Pair{}, fmt.Errorf("cannot issue a certificate for %s: %w", s.Name, err)
	}
	return pair, nil
}

func sign(template, parent *x509.Certificate, key, signer crypto.Signer, now time.Time) (Pair, *x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Pair{}, nil, err
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Pair{}, nil, err
	}
	private, err := encodeKey(key)
	if err != nil {
		return Pair{}, nil, err
	}
	return Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: private}, cert, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// write stores the pair as NAME.crt and NAME.key. Only the owner can read the key.
func (p Pair) write(dir, name string) error {
	if err := os.WriteFile(filepath.Join(dir, name+".crt"), p.Cert, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".key"), p.Key, 0o600)
}

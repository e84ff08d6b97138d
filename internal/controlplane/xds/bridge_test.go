package xds

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/legacyosm"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// osmUUID is the UUID of the sidecar of Open Service Mesh in these tests.
var osmUUID = legacyosm.UUID(1)

// bridgedMesh is newMesh where the client has a sidecar of Open Service Mesh, at the address of the test.
func bridgedMesh(changes ...func(*inventory.Instance)) mesh {
	m := newMesh()
	m.client = meshtest.Pod("a", "client", "client", "client", "127.0.0.1")
	m.client.Injected, m.client.OSMSidecar, m.client.Revision = false, true, ""
	m.client.Labels[names.ProxyUUIDLabel] = osmUUID
	for _, change := range changes {
		change(m.client)
	}
	return m
}

func startBridge(t *testing.T, open time.Duration, entries ...catalog.Entry) *control {
	t.Helper()
	c := startWith(t, listen(t), controlOptions{bridge: open}, entries...)
	c.store.MarkSynced()
	return c
}

// connectOSM connects without a token, and with a certificate for a name.
func (c *control) connectOSM(t *testing.T, authority *pki.Authority, name string, changes ...func(*x509.Certificate)) *proxy {
	t.Helper()
	chain, key := legacyosm.ClientCertificate(t, authority, name, changes...)
	return c.connectWith(t, chain, key, "")
}

func (c *control) connectWith(t *testing.T, chain, key []byte, token string) *proxy {
	t.Helper()
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	config := c.tls.Clone()
	config.Certificates = []tls.Certificate{pair}
	with := &control{address: c.address, tls: config}
	return with.connect(t, token, fakexds.NewEnvoy())
}

func osmName(account identity.ServiceAccount) string {
	return legacyosm.CommonName(osmUUID, account, trustDomain)
}

func requireRejected(t *testing.T, p *proxy, what string, code codes.Code) {
	t.Helper()
	if err := p.waitEnd(t); status.Code(err) != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestBridge_ServesByCertificate(t *testing.T) {
	m := bridgedMesh()
	c := startBridge(t, time.Hour, m.entries()...)
	c.connectOSM(t, c.root, osmName(m.client.Identity())).waitFor(t, fakexds.SecretType, "service-cert")
	proxies := c.store.Proxies()
	if len(proxies) != 1 || proxies[0].Pod != m.client.Name || !proxies[0].Scope.Class.OSM || c.store.CountOSMProxies() != 1 {
		t.Errorf("connected are %+v and %d of Open Service Mesh, want the client", proxies, c.store.CountOSMProxies())
	}
}

// TestBridge_EndsByItself checks that streams end at the time of the bridge, and that no others begin.
func TestBridge_EndsByItself(t *testing.T) {
	m := bridgedMesh()
	c := startBridge(t, 2*time.Second, m.entries()...)
	p := c.connectOSM(t, c.root, osmName(m.client.Identity()))
	p.waitFor(t, fakexds.SecretType, "service-cert")
	requireRejected(t, p, "at the end", codes.Unauthenticated)
	requireRejected(t, c.connectOSM(t, c.root, osmName(m.client.Identity())), "after the end", codes.Unauthenticated)
}

// TestBridge_ClosedRequestsNoCertificate checks that a client sees no difference without a bridge.
func TestBridge_ClosedRequestsNoCertificate(t *testing.T) {
	for open, want := range map[time.Duration]bool{0: false, time.Nanosecond: false, time.Hour: true} {
		c := startBridge(t, open, newMesh().entries()...)
		requested := false
		config := c.tls.Clone()
		config.NextProtos = []string{"h2"}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			requested = true
			return &tls.Certificate{}, nil
		}
		conn, err := tls.Dial("tcp", c.address, config)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if requested != want {
			t.Errorf("with a bridge of %s a certificate is requested: %t, want %t", open, requested, want)
		}
	}
}

// TestBridge_TokensHavePriority checks that a certificate changes nothing about a client with a token.
func TestBridge_TokensHavePriority(t *testing.T) {
	m := bridgedMesh()
	other := meshtest.Pod("a", "other", "server", "server", "10.0.0.7")
	other.IPs = nil
	c := startBridge(t, time.Hour, append(m.entries(), other)...)
	chain, key := legacyosm.ClientCertificate(t, c.root, osmName(m.client.Identity()))
	requireRejected(t, c.connectWith(t, chain, key, "unknown token"), "an invalid token", codes.Unauthenticated)
	requireRejected(t, c.connectWith(t, chain, key, c.tokenOf(m.client)), "the token of a pod without our sidecar", codes.PermissionDenied)
	p := c.connectWith(t, chain, key, c.tokenOf(other))
	p.waitFor(t, fakexds.SecretType, "service-cert")
	if proxies := c.store.Proxies(); len(proxies) != 1 || proxies[0].Pod != other.Name || proxies[0].Scope.Class.OSM {
		t.Errorf("connected are %+v, want the pod of the token", proxies)
	}
}

// TestThreatBridgeRejectsOthers connects with certificates, and from pods, that are not those of a sidecar of Open Service Mesh.
func TestThreatBridgeRejectsOthers(t *testing.T) {
	account := identity.ServiceAccount{Namespace: "a", Name: "client"}
	for what, test := range map[string]struct {
		change func(*inventory.Instance)
		name   string
		code   codes.Code
	}{
		"a pod with this mesh's sidecar":     {func(p *inventory.Instance) { p.Injected, p.OSMSidecar = true, false }, osmName(account), codes.PermissionDenied},
		"a pod with both":                    {func(p *inventory.Instance) { p.Injected = true }, osmName(account), codes.PermissionDenied},
		"a pod without a sidecar":            {func(p *inventory.Instance) { p.OSMSidecar = false }, osmName(account), codes.PermissionDenied},
		"another UUID":                       {func(p *inventory.Instance) { p.Labels[names.ProxyUUIDLabel] = legacyosm.UUID(2) }, osmName(account), codes.PermissionDenied},
		"another service account":            {func(p *inventory.Instance) { p.ServiceAccount = "server" }, osmName(account), codes.PermissionDenied},
		"a pod at another address":           {func(p *inventory.Instance) { p.IPs = meshtest.Pod("a", "x", "x", "x", "10.0.0.9").IPs }, osmName(account), codes.Unauthenticated},
		"a pod without an address":           {func(p *inventory.Instance) { p.IPs = nil }, osmName(account), codes.Unauthenticated},
		"a finished pod":                     {func(p *inventory.Instance) { p.Finished = true }, osmName(account), codes.Unauthenticated},
		"a pod outside the mesh":             {func(p *inventory.Instance) { p.Name.Namespace = "outside" }, osmName(identity.ServiceAccount{Namespace: "outside", Name: "client"}), codes.PermissionDenied},
		"the namespace of another":           {nil, osmName(identity.ServiceAccount{Namespace: "b", Name: "client"}), codes.PermissionDenied},
		"a service account with dots":        {nil, osmName(identity.ServiceAccount{Namespace: "x", Name: "client.a"}), codes.PermissionDenied},
		"another trust domain":               {nil, legacyosm.CommonName(osmUUID, account, "other.test"), codes.Unauthenticated},
		"a principal":                        {nil, account.Principal(trustDomain), codes.Unauthenticated},
		"the certificate of a control plane": {nil, "ads." + trustDomain, codes.Unauthenticated},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := bridgedMesh(func(p *inventory.Instance) {
				if test.change != nil {
					test.change(p)
				}
			})
			c := startBridge(t, time.Hour, append(m.entries(), &catalog.Namespace{Name: "b", Monitored: true})...)
			requireRejected(t, c.connectOSM(t, c.root, test.name), what, test.code)
			if c.metric(t, "osm_proxy_rejected_count") == 0 {
				t.Error("the rejection is not counted")
			}
		})
	}
	t.Run("another authority", func(t *testing.T) {
		m := bridgedMesh()
		c := startBridge(t, time.Hour, m.entries()...)
		requireRejected(t, c.connectOSM(t, pki.New(t), osmName(account)), "another authority", codes.Unauthenticated)
	})
	t.Run("an account with that name", func(t *testing.T) {
		m := bridgedMesh()
		named := &catalog.ServiceAccount{Name: entity.Name{Namespace: "a", Name: osmUUID + ".sidecar.client"}, UID: "uid"}
		c := startBridge(t, time.Hour, append(m.entries(), named)...)
		requireRejected(t, c.connectOSM(t, c.root, osmName(account)), "an account with that name", codes.PermissionDenied)
	})
	t.Run("the certificate of a workload with that name", func(t *testing.T) {
		m := bridgedMesh()
		c := startBridge(t, time.Hour, m.entries()...)
		chain, key := c.root.Issue(t, identity.ServiceAccount{Namespace: "a", Name: osmUUID + ".sidecar.client"}, trustDomain)
		requireRejected(t, c.connectWith(t, chain, key, ""), "the certificate of a workload", codes.Unauthenticated)
	})
}

// TestBridge_EndsWithItsPod checks that a stream ends when the pod is replaced by one with the sidecar of this mesh.
func TestBridge_EndsWithItsPod(t *testing.T) {
	m := bridgedMesh()
	c := startBridge(t, time.Hour, m.entries()...)
	for what, change := range map[string]func(*inventory.Instance){
		"another sidecar": func(p *inventory.Instance) { p.Injected, p.OSMSidecar = true, false },
		"another UUID": func(p *inventory.Instance) {
			p.Labels = map[string]string{"app": "client", names.ProxyUUIDLabel: legacyosm.UUID(2)}
		},
		"finished": func(p *inventory.Instance) { p.Finished = true },
	} {
		p := c.connectOSM(t, c.root, osmName(m.client.Identity()))
		p.waitFor(t, fakexds.SecretType, "service-cert")
		changed := *m.client
		change(&changed)
		c.apply(&changed)
		requireRejected(t, p, what, codes.PermissionDenied)
		c.apply(m.client)
	}
}

package snapshot

import (
	"errors"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// gatewayMesh returns a mesh with a pod of each gateway, an HTTPS listener and an Egress with a Secret. The Secrets are not read.
func gatewayMesh() (entries []catalog.Entry, ingress, egress *inventory.Instance) {
	pod := func(gateway, address string) *inventory.Instance {
		return &inventory.Instance{
			Name: entity.Name{Namespace: "osm-system", Name: gateway}, ID: entity.InstanceID("uid-" + gateway), ServiceAccount: gateway,
			Labels: map[string]string{names.AppLabel: gateway}, Injected: true,
		}
	}
	ingress, egress = pod(names.IngressGateway, "10.0.0.8"), pod(names.EgressGateway, "10.0.0.9")
	return []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system", EgressPolicies: true}, &catalog.Namespace{Name: "shop", Monitored: true},
		ingress, egress, accountOf(ingress), accountOf(egress), &catalog.GatewayClass{Name: "osm"},
		&inventory.Service{Name: entity.Name{Namespace: "osm-system", Name: names.IngressGateway}, Ports: []inventory.Port{{Number: 443, TargetPort: 10443}}},
		httpsGateway("tls"),
		&catalog.Egress{
			Name: entity.Name{Namespace: "shop", Name: "e"}, Gateway: &catalog.EgressGateway{TLS: &catalog.EgressTLS{Port: 443, Secret: "tls"}},
			Hosts: []string{"api.example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		},
	}, ingress, egress
}

func httpsGateway(secrets ...string) *catalog.Gateway {
	l := catalog.GatewayListener{Name: "a", Port: 443, Protocol: "HTTPS", Terminate: true, From: "Same"}
	for _, secret := range secrets {
		l.Certificates = append(l.Certificates, entity.Name{Namespace: "shop", Name: secret})
	}
	return &catalog.Gateway{Name: entity.Name{Namespace: "shop", Name: "web"}, Class: "osm", Listeners: []catalog.GatewayListener{l}}
}

// TestGatewaysWaitForTheirSecrets checks that a gateway that reconnects to a new replica loses no listener: it gets no answer before its Secrets are
// read once. Secrets that users name later delay no gateway.
func TestGatewaysWaitForTheirSecrets(t *testing.T) {
	tls := entity.Name{Namespace: "shop", Name: "tls"}
	entries, ingress, egress := gatewayMesh()
	h := newSyncedHarness(entries...)
	for _, pod := range []*inventory.Instance{ingress, egress} {
		if _, err := h.tryConnect(peerOf(pod)); !errors.Is(err, ErrNotSynced) {
			t.Errorf("%s connects before its Secrets are read: %v", pod.Name, err)
		}
	}
	h.apply(&catalog.GatewayCertificate{Name: tls, ChainPEM: []byte("chain"), KeyPEM: []byte("key")}, &catalog.EgressCredential{Name: tls, Problem: "The Secret does not exist."})
	for _, pod := range []*inventory.Instance{ingress, egress} {
		if _, err := h.tryConnect(peerOf(pod)); err != nil {
			t.Errorf("%s does not connect after its Secrets were read: %v", pod.Name, err)
		}
	}
	h.apply(httpsGateway("tls", "new"))
	if _, err := h.tryConnect(peerOf(ingress)); err != nil {
		t.Errorf("a new reference keeps the gateway out: %v", err)
	}
}

// TestUnreadableSecretKeepsNoGatewayOut checks that gateways do not wait for ever.
func TestUnreadableSecretKeepsNoGatewayOut(t *testing.T) {
	entries, ingress, _ := gatewayMesh()
	h := newSyncedHarness(entries...)
	h.now = h.now.Add(secretsTimeout - 1)
	if _, err := h.tryConnect(peerOf(ingress)); !errors.Is(err, ErrNotSynced) {
		t.Errorf("just before the end of the wait, the error of the gateway is %v, want ErrNotSynced", err)
	}
	h.now = h.now.Add(1)
	if _, err := h.tryConnect(peerOf(ingress)); err != nil {
		t.Errorf("at the end of the wait, the gateway does not connect: %v", err)
	}
}

// TestListenerKeepsItsCertificateUntilTheNewOneIsRead names another Secret in a listener. A Secret that was not read yet is not one that does not exist.
func TestListenerKeepsItsCertificateUntilTheNewOneIsRead(t *testing.T) {
	certificate := func(name, problem string) *catalog.GatewayCertificate {
		c := &catalog.GatewayCertificate{Name: entity.Name{Namespace: "shop", Name: name}, Problem: problem}
		if problem == "" {
			c.ChainPEM, c.KeyPEM = []byte("chain of "+name), []byte("key of "+name)
		}
		return c
	}
	entries, ingress, _ := gatewayMesh()
	h := newSyncedHarness(append(entries, certificate("tls", ""))...)
	stream, err := h.tryConnect(peerOf(ingress))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when string, secrets ...string) {
		t.Helper()
		listener := contentOf(stream, resourcetype.Listeners, "gateway_443")
		if (listener != nil) != (len(secrets) > 0) {
			t.Errorf("%s: the listener exists: %t", when, listener != nil)
			return
		}
		for _, name := range secrets {
			secret := "gateway-certificate:shop/" + name
			if !strings.Contains(string(listener.Encoded()), secret) || contentOf(stream, resourcetype.Secrets, secret) == nil {
				t.Errorf("%s: the listener lacks the certificate %s", when, name)
			}
		}
	}
	expect("at the start", "tls")
	h.apply(httpsGateway("new"))
	expect("before the new Secret is read", "tls")
	h.apply(meshtest.Service("shop", "unrelated", "unrelated", "10.96.9.9", 80, inventory.ProtocolHTTP), &catalog.GatewayClass{Name: "other"})
	expect("after another change", "tls")
	h.apply(certificate("new", ""))
	expect("after the new Secret is read", "new")
	h.apply(httpsGateway("missing"), certificate("missing", "The Secret does not exist."))
	expect("after the missing Secret is read")
	h.apply(httpsGateway("late"))
	expect("with a listener that had no certificate")
}

// TestNoListenerLosesItsDemand names other authorities of clients in a listener. Until they were read, the earlier ones are in use. A listener that begins to
// demand certificates of clients is not served before its authorities were read.
func TestNoListenerLosesItsDemand(t *testing.T) {
	demanding := func(configMap string) *catalog.Gateway {
		g := httpsGateway("tls")
		g.Listeners[0].Clients = &catalog.ClientValidation{Authorities: []entity.Name{{Namespace: "shop", Name: configMap}}}
		return g
	}
	authorities := func(name, problem string) *catalog.GatewayAuthorities {
		return &catalog.GatewayAuthorities{Name: entity.Name{Namespace: "shop", Name: name}, PEM: []byte(name), Problem: problem}
	}
	tls := &catalog.GatewayCertificate{Name: entity.Name{Namespace: "shop", Name: "tls"}, ChainPEM: []byte("chain"), KeyPEM: []byte("key")}
	entries, ingress, _ := gatewayMesh()
	h := newSyncedHarness(append(entries, tls, demanding("one"))...)
	if _, err := h.tryConnect(peerOf(ingress)); !errors.Is(err, ErrNotSynced) {
		t.Errorf("the gateway connects before its ConfigMaps are read: %v", err)
	}
	h.apply(authorities("one", ""))
	stream, err := h.tryConnect(peerOf(ingress))
	if err != nil {
		t.Fatal(err)
	}
	const secret = "gateway-authorities:shop/web|443"
	expect := func(when, want string) {
		t.Helper()
		listener, got := contentOf(stream, resourcetype.Listeners, "gateway_443"), contentOf(stream, resourcetype.Secrets, secret)
		if (listener != nil) != (want != "") {
			t.Errorf("%s: the listener exists: %t", when, listener != nil)
			return
		}
		if listener != nil && want != "no demand" && (got == nil || !strings.Contains(string(listener.Encoded()), secret) || !strings.Contains(string(got.Encoded()), want)) {
			t.Errorf("%s: the listener does not demand certificates of the authorities %q", when, want)
		}
	}
	expect("at the start", "one")
	before := string(contentOf(stream, resourcetype.Listeners, "gateway_443").Encoded())
	h.apply(&catalog.GatewayAuthorities{Name: entity.Name{Namespace: "shop", Name: "one"}, PEM: []byte("edited")})
	expect("after an edit of the ConfigMap", "edited")
	if after := string(contentOf(stream, resourcetype.Listeners, "gateway_443").Encoded()); after != before {
		t.Error("an edit of the ConfigMap changes the listener, which closes connections")
	}
	h.apply(demanding("two"))
	expect("before the other ConfigMap is read", "edited")
	h.apply(authorities("two", ""))
	expect("after it is read", "two")
	h.apply(authorities("two", "The ConfigMap does not exist."))
	expect("after it is deleted", "")
	h.apply(httpsGateway("tls"))
	expect("without a demand", "no demand")
	h.apply(demanding("late"))
	expect("with a new demand", "")
	h.apply(authorities("late", ""))
	expect("after the authorities of the new demand are read", "late")
	other := demanding("late")
	other.Listeners[0].Certificates = []entity.Name{{Namespace: "shop", Name: "new"}}
	h.apply(other)
	expect("before a new Secret is read", "late")
}

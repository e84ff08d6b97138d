package pods_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// attempt is a connection with a certificate to the server names for the clients of a trust domain; empty for the name in the mesh.
type attempt struct {
	certificate pki.Names
	clients     string
	want        admission
}

// admission is how far a client gets.
type admission int

const (
	rejected admission = iota
	// greeted clients receive the first bytes of a server over TCP, because their certificate has the name of an allowed account. Nothing of theirs arrives.
	greeted
	admitted
)

func (p *peered) attempts() map[string]attempt {
	allowed := p.east.Genuine(buyer, eastDomain)
	own := p.network.CA.Genuine(buyer, trustDomain)
	forge := func(dns, uris []string) pki.Names { return pki.Names{Authority: p.east, DNS: dns, URIs: uris} }
	name, uri := buyer.Principal(eastDomain), pki.SPIFFE(buyer, eastDomain)
	ownName, ownURI := buyer.Principal(trustDomain), pki.SPIFFE(buyer, trustDomain)
	expired, selfSigned := allowed, allowed
	expired.Expired, selfSigned.Authority = true, p.network.CA
	return map[string]attempt{
		"an allowed account":                               {allowed, eastDomain, admitted},
		"an allowed account without URI":                   {forge([]string{name}, nil), eastDomain, admitted},
		"the allowed account of another peer":              {p.west.Genuine(buyer, westDomain), westDomain, admitted},
		"a client of this mesh":                            {own, "", admitted},
		"another account":                                  {p.east.Genuine(thief, eastDomain), eastDomain, rejected},
		"names of this mesh":                               {p.east.Genuine(buyer, trustDomain), eastDomain, rejected},
		"names of this mesh at the name in the mesh":       {p.east.Genuine(buyer, trustDomain), "", rejected},
		"a DNS name of this mesh and a URI of the peer":    {forge([]string{ownName}, []string{uri}), eastDomain, rejected},
		"a DNS name of the peer and a URI of this mesh":    {forge([]string{name}, []string{ownURI}), eastDomain, greeted},
		"a DNS name of this mesh only":                     {forge([]string{ownName}, nil), eastDomain, rejected},
		"a URI of this mesh only":                          {forge(nil, []string{ownURI}), eastDomain, rejected},
		"a URI of the peer only":                           {forge(nil, []string{uri}), eastDomain, rejected},
		"no names":                                         {forge(nil, nil), eastDomain, rejected},
		"a DNS name of this mesh, too":                     {allowed.WithDNS(ownName), eastDomain, greeted},
		"a DNS name of this mesh in front":                 {forge([]string{ownName, name}, []string{uri}), eastDomain, greeted},
		"a DNS name of this mesh in upper case, too":       {allowed.WithDNS(strings.ToUpper(ownName)), eastDomain, greeted},
		"a URI of this mesh, too":                          {allowed.WithURI(ownURI), eastDomain, greeted},
		"a URI of this mesh in front":                      {forge([]string{name}, []string{ownURI, uri}), eastDomain, greeted},
		"a name of an earlier trust domain, too":           {allowed.WithDNS(buyer.Principal("before.example")), eastDomain, greeted},
		"a URI of an earlier trust domain, too":            {allowed.WithURI(pki.SPIFFE(buyer, "before.example")), eastDomain, greeted},
		"the name of the control plane, too":               {allowed.WithDNS("ads." + trustDomain), eastDomain, greeted},
		"names of another peer":                            {p.east.Genuine(buyer, westDomain), westDomain, rejected},
		"names of another peer at the own name":            {p.east.Genuine(buyer, westDomain), eastDomain, rejected},
		"a certificate of another peer with these names":   {p.west.Genuine(buyer, eastDomain), eastDomain, rejected},
		"an allowed account at the name for another peer":  {allowed, westDomain, rejected},
		"an allowed account at the name in the mesh":       {allowed, "", rejected},
		"an allowed account at a name that does not exist": {allowed, "north.example", rejected},
		"a client of this mesh at the name for a peer":     {own, eastDomain, rejected},
		"the names of the peer by the root of this mesh":   {selfSigned, eastDomain, rejected},
		"a name below the trust domain of the peer":        {p.east.Genuine(buyer, "sub."+eastDomain), eastDomain, rejected},
		"an account whose name ends with that of the peer": {p.east.Genuine(identity.ServiceAccount{Namespace: "shop", Name: "x.buyer"}, eastDomain), eastDomain, rejected},
		"a namespace that differs by a dot only":           {p.east.Genuine(identity.ServiceAccount{Namespace: "x", Name: "buyer.shop"}, eastDomain), eastDomain, rejected},
		"an expired certificate":                           {expired, eastDomain, rejected},
		"a wildcard":                                       {forge([]string{"*.shop." + eastDomain}, nil), eastDomain, greeted},
	}
}

// TestThreatForgedCertificatesOfPeers connects to a server's sidecar as somebody who holds the root of a peer and can sign any certificate.
func TestThreatForgedCertificatesOfPeers(t *testing.T) {
	t.Parallel()
	p := newPeered(t)
	for name, test := range p.attempts() {
		t.Run(name, func(t *testing.T) {
			want := map[admission]string{admitted: "200", greeted: "closed", rejected: "closed"}[test.want]
			if got := askOnce(p.stolen(p.config(t, test, web, 80))(t)); got != want {
				t.Errorf("HTTP: got %s, want %s", got, want)
			}
			for _, service := range []entity.Name{database, archive} {
				want := map[admission]string{admitted: "welcome, echo hello", greeted: "welcome", rejected: "closed"}[test.want]
				if got := p.greet(t, p.config(t, test, service, 3306)); got != want {
					t.Errorf("TCP of %s: got %s, want %s", service, got, want)
				}
			}
		})
	}
}

// config is that of a client without a sidecar. It offers the protocols that the sidecars of the buyer offer.
func (p *peered) config(t *testing.T, a attempt, service entity.Name, port uint16) *tls.Config {
	t.Helper()
	serverName := service.Name + "." + service.Namespace + ".svc.cluster.local"
	if a.clients != "" {
		serverName = serverNameFor(service, port, a.clients)
	}
	return &tls.Config{
		ServerName: serverName, NextProtos: []string{"osm/shop/buyer", "osm"}, Certificates: a.certificate.Issue(t),
		InsecureSkipVerify: true, // only the server's verification is under test
	}
}

// greet waits for the first words of the server, and then sends some.
func (p *peered) greet(t *testing.T, config *tls.Config) string {
	t.Helper()
	plain, err := p.stranger.Dial(t, p.server.IP.String()+":3306")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return welcomed(tls.Client(plain, config))
}

func welcomed(conn net.Conn) string {
	lines := bufio.NewReader(conn)
	first, err := lines.ReadString('\n')
	if isTimeout(err) {
		return "no answer"
	}
	if err != nil {
		return "closed"
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return strings.TrimSpace(first)
	}
	second, _ := lines.ReadString('\n')
	return strings.TrimSuffix(strings.TrimSpace(first)+", "+strings.TrimSpace(second), ", ")
}

package verdict

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// peering is the direction of requests of clients of a peer.
const peering direction = "peering"

// peerNames are the peers. The trust domain of each is its name with a suffix.
var peerNames = []string{"east", "west"}

func peerDomain(name string) string { return name + ".test" }

// PeerClient connects to a pod with a certificate of whoever has the key of a peer.
type PeerClient struct {
	// Peer is empty for requests of this mesh.
	Peer string
	// Account is the one that the client has, or pretends to have.
	Account identity.ServiceAccount
	// Forgery is the name of an element of forgeries.
	Forgery string
	// Service and Port are what the client requests.
	Service entity.Name
	Port    uint16
}

// account is that of the client if nothing is forged.
func (c PeerClient) account() identity.PeerAccount {
	return identity.PeerAccount{Peer: c.Peer, Namespace: c.Account.Namespace, Name: c.Account.Name}
}

// String describes the client.
func (c PeerClient) String() string {
	return fmt.Sprintf("%s with %s for port %d of %s", c.account(), c.Forgery, c.Port, c.Service)
}

// admission is how far the certificate of an account that policies allow can get.
type admission int

const (
	rejected admission = iota
	// greeted clients receive the first bytes of a server over TCP, because their certificate has the name of an allowed account. Nothing of theirs arrives.
	greeted
	admitted
)

// forgery is a certificate that the holder of a peer's key can sign, or somebody else without it.
type forgery struct {
	name  string
	names func(clientNames) pki.Names
	// clients is the trust domain in the server name that the client requests; nil is that of the peer, and empty the name inside the mesh.
	clients func(clientNames) string
	reaches admission
}

// clientNames are the names that certificates are made of.
type clientNames struct {
	account          identity.ServiceAccount
	peer, other, own *pki.Authority
	// domain is the trust domain of the peer, and otherDomain that of another one.
	domain, otherDomain string
}

func (c clientNames) genuine() pki.Names { return c.peer.Genuine(c.account, c.domain) }

func (c clientNames) forge(dns, uris []string) pki.Names {
	return pki.Names{Authority: c.peer, DNS: dns, URIs: uris}
}

func (c clientNames) in(domain string) (dns, uri string) {
	return c.account.Principal(domain), pki.SPIFFE(c.account, domain)
}

// genuineClient is the name of the certificate that a peer issues to its account.
const genuineClient = "its certificate"

// forgeries are the certificates of clients of peers.
func forgeries() []forgery {
	inMesh := func(clientNames) string { return "" }
	ofOther := func(c clientNames) string { return c.otherDomain }
	return []forgery{
		{genuineClient, clientNames.genuine, nil, admitted},
		{"its certificate without a URI", func(c clientNames) pki.Names { return c.forge(c.genuine().DNS, nil) }, nil, admitted},
		{"names of this mesh", func(c clientNames) pki.Names { return c.peer.Genuine(c.account, trustDomain) }, nil, rejected},
		{"names of this mesh at the name in the mesh", func(c clientNames) pki.Names { return c.peer.Genuine(c.account, trustDomain) }, inMesh, rejected},
		{"a DNS name of this mesh and its URI", func(c clientNames) pki.Names {
			name, _ := c.in(trustDomain)
			return c.forge([]string{name}, c.genuine().URIs)
		}, nil, rejected},
		{"its DNS name and a URI of this mesh", func(c clientNames) pki.Names {
			_, uri := c.in(trustDomain)
			return c.forge(c.genuine().DNS, []string{uri})
		}, nil, greeted},
		{"a DNS name of this mesh, too", func(c clientNames) pki.Names {
			name, _ := c.in(trustDomain)
			return c.genuine().WithDNS(strings.ToUpper(name))
		}, nil, greeted},
		{"a URI of this mesh, too", func(c clientNames) pki.Names {
			_, uri := c.in(trustDomain)
			return c.genuine().WithURI(uri)
		}, nil, greeted},
		{"a wildcard", func(c clientNames) pki.Names {
			return c.forge([]string{"*." + c.account.Namespace + "." + c.domain}, nil)
		}, nil, greeted},
		{"no names", func(c clientNames) pki.Names { return c.forge(nil, nil) }, nil, rejected},
		{"a name below the trust domain", func(c clientNames) pki.Names { return c.peer.Genuine(c.account, "sub."+c.domain) }, nil, rejected},
		{"names of another peer", func(c clientNames) pki.Names { return c.peer.Genuine(c.account, c.otherDomain) }, nil, rejected},
		{"names of another peer at the name for that peer", func(c clientNames) pki.Names { return c.peer.Genuine(c.account, c.otherDomain) }, ofOther, rejected},
		{"the key of another peer", func(c clientNames) pki.Names { return c.other.Genuine(c.account, c.domain) }, nil, rejected},
		{"the key of this mesh", func(c clientNames) pki.Names { return c.own.Genuine(c.account, c.domain) }, nil, rejected},
		{"its certificate at the name for another peer", clientNames.genuine, ofOther, rejected},
		{"its certificate at the name in the mesh", clientNames.genuine, inMesh, rejected},
		{"a certificate of this mesh", func(c clientNames) pki.Names { return c.own.Genuine(c.account, trustDomain) }, nil, rejected},
		{"an expired certificate", func(c clientNames) pki.Names {
			names := c.genuine()
			names.Expired = true
			return names
		}, nil, rejected},
	}
}

func forgeryNamed(name string) forgery {
	for _, f := range forgeries() {
		if f.name == name {
			return f
		}
	}
	panic("no forgery " + name)
}

// peerKeys are the authorities of the peers, and the certificates that they have signed.
type peerKeys struct {
	t           testing.TB
	authorities map[string]*pki.Authority
	own         *pki.Authority

	mu     sync.Mutex
	issued map[PeerClient][]tls.Certificate
}

func newPeerKeys(t testing.TB, own *pki.Authority) *peerKeys {
	k := &peerKeys{t: t, authorities: map[string]*pki.Authority{}, own: own, issued: map[PeerClient][]tls.Certificate{}}
	for _, name := range peerNames {
		k.authorities[name] = pki.New(t)
	}
	return k
}

// config is that of a client without a sidecar. It offers the protocols that sidecars offer.
func (k *peerKeys) config(c PeerClient) *tls.Config {
	f, names := forgeryNamed(c.Forgery), k.names(c)
	clients := names.domain
	if f.clients != nil {
		clients = f.clients(names)
	}
	serverName := c.Service.Name + "." + c.Service.Namespace + ".svc.cluster.local"
	if clients != "" {
		serverName, _ = identity.PeerServerName(c.Service.Name, c.Service.Namespace, c.Port, trustDomain, clients)
	}
	return &tls.Config{
		ServerName: serverName, NextProtos: []string{"osm/" + c.Account.Namespace + "/" + c.Account.Name, "osm"}, Certificates: k.certificates(c, f, names),
		InsecureSkipVerify: true, // only the server's verification is under test
	}
}

func (k *peerKeys) names(c PeerClient) clientNames {
	other := peerNames[0]
	if c.Peer == other {
		other = peerNames[1]
	}
	return clientNames{
		account: c.Account, peer: k.authorities[c.Peer], other: k.authorities[other], own: k.own, domain: peerDomain(c.Peer), otherDomain: peerDomain(other),
	}
}

// certificates issues what clients present, once for all that present the same.
func (k *peerKeys) certificates(c PeerClient, f forgery, names clientNames) []tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := PeerClient{Peer: c.Peer, Account: c.Account, Forgery: c.Forgery}
	if k.issued[key] == nil {
		k.issued[key] = f.names(names).Issue(k.t)
	}
	return k.issued[key]
}

// secured returns the connection of a client of a peer after its handshake.
func (n *Network) secured(conn net.Conn, c PeerClient) (net.Conn, error) {
	secured := tls.Client(conn, n.control.peers.config(c))
	if err := conn.SetDeadline(time.Now().Add(responseTimeout)); err != nil {
		return nil, err
	}
	return secured, secured.Handshake()
}

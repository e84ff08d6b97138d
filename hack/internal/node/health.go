package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/certs"
)

// apiClient is an API server client with the certificate of the API server's kubelet client, a member of system:masters.
type apiClient struct {
	server string
	client *http.Client
}

func newAPIClient(server, certDir string) (*apiClient, error) {
	client, err := newClient(certDir, certs.APIServerKubelet, certs.ClusterCA)
	return &apiClient{server: server, client: client}, err
}

// newClient returns a client with one of the cluster's certificates, for servers of one of its authorities.
func newClient(certDir, certificate, authority string) (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(certDir, certificate+".crt"), filepath.Join(certDir, certificate+".key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(certDir, authority+".crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}, nil
}

func (a *apiClient) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the API server responded to %s with %s: %.200s", path, response.Status, body)
	}
	return body, err
}

// checkReady returns an error until the API server is ready.
func (a *apiClient) checkReady(ctx context.Context) error {
	_, err := a.get(ctx, "/readyz")
	return err
}

// checkNodeExists returns an error until the kubelet has registered the node.
func (a *apiClient) checkNodeExists(ctx context.Context, name string) error {
	_, err := a.get(ctx, "/api/v1/nodes/"+name)
	return err
}

// checkNodeReady returns an error until pods can run on the node.
func (a *apiClient) checkNodeReady(ctx context.Context, name string) error {
	body, err := a.get(ctx, "/api/v1/nodes/"+name)
	if err != nil {
		return err
	}
	return readyCondition(body)
}

func readyCondition(node []byte) error {
	var parsed struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(node, &parsed); err != nil {
		return err
	}
	for _, c := range parsed.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return nil
		}
		if c.Type == "Ready" {
			return fmt.Errorf("the node is not ready: %s", c.Message)
		}
	}
	return errors.New("the node has not reported its status yet")
}

// checkDNS resolves the API server's name at both addresses of the cluster's DNS server.
func (n *Node) checkDNS(ctx context.Context) error {
	for _, server := range []netip.Addr{n.Plan.DNSV4(), n.Plan.DNSV6()} {
		resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, net.JoinHostPort(server.String(), "53"))
		}}
		if _, err := resolver.LookupNetIP(ctx, "ip4", "kubernetes.default.svc.cluster.local."); err != nil {
			return fmt.Errorf("the cluster's DNS server does not respond: %w", err)
		}
	}
	return nil
}

// CheckHealth returns an error if a process is not running or if the API, the node or DNS is not ready.
func (n *Node) CheckHealth(ctx context.Context) error {
	for _, p := range n.Processes() {
		if p.Pid == 0 {
			return fmt.Errorf("%s is not running", p.Name)
		}
	}
	a, err := newAPIClient(n.Plan.APIServer(), n.State.Certs())
	if err != nil {
		return err
	}
	if err := a.checkReady(ctx); err != nil {
		return err
	}
	if err := a.checkNodeReady(ctx, n.Plan.NodeName); err != nil {
		return err
	}
	return n.checkDNS(ctx)
}

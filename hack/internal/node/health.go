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

// api asks the API server with the rights of the kubelet's client in the API server, a member of system:masters.
type api struct {
	server string
	client *http.Client
}

func newAPI(server, certDir string) (*api, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(certDir, certs.APIServerKubelet+".crt"), filepath.Join(certDir, certs.APIServerKubelet+".key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(certDir, certs.ClusterCA+".crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}
	return &api{server: server, client: &http.Client{Transport: transport, Timeout: 5 * time.Second}}, nil
}

func (a *api) get(ctx context.Context, path string) ([]byte, error) {
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
		err = fmt.Errorf("the API server answers %s with %s: %.200s", path, response.Status, body)
	}
	return body, err
}

// ready reports why the API server does not serve yet, or nil.
func (a *api) ready(ctx context.Context) error {
	_, err := a.get(ctx, "/readyz")
	return err
}

// nodeExists reports nil once the kubelet has registered.
func (a *api) nodeExists(ctx context.Context, name string) error {
	_, err := a.get(ctx, "/api/v1/nodes/"+name)
	return err
}

// nodeReady reports why pods cannot run on the node yet, or nil.
func (a *api) nodeReady(ctx context.Context, name string) error {
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
	return errors.New("the node has not reported yet")
}

// resolves asks the cluster's name server at both its addresses for the API server's name.
func (n *Node) resolves(ctx context.Context) error {
	for _, server := range []netip.Addr{n.Plan.DNSV4(), n.Plan.DNSV6()} {
		resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, net.JoinHostPort(server.String(), "53"))
		}}
		if _, err := resolver.LookupNetIP(ctx, "ip4", "kubernetes.default.svc.cluster.local."); err != nil {
			return fmt.Errorf("the cluster's name server does not answer: %w", err)
		}
	}
	return nil
}

// Healthy reports why the cluster cannot be used, or nil: a program that does not run, the API, the node, the name server.
func (n *Node) Healthy(ctx context.Context) error {
	for _, p := range n.Processes() {
		if p.Pid == 0 {
			return fmt.Errorf("%s does not run", p.Name)
		}
	}
	a, err := newAPI(n.Plan.APIServer(), n.State.Certs())
	if err != nil {
		return err
	}
	if err := a.ready(ctx); err != nil {
		return err
	}
	if err := a.nodeReady(ctx, n.Plan.NodeName); err != nil {
		return err
	}
	return n.resolves(ctx)
}

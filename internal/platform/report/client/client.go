package client

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
	"strings"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Limits for requests to a replica.
const (
	timeout     = 5 * time.Second
	maxDocument = 256 << 20
)

// ErrNotFound means that no replica has the object.
var ErrNotFound = errors.New("not found in any replica of the control plane")

// ErrNoReplicas means that no replica is running.
var ErrNoReplicas = errors.New("no replica of the control plane is running")

// Replica is a replica of the control plane.
type Replica struct {
	// Name is the name of the pod.
	Name string
	// Address is "host:port", or empty if the pod has no address yet.
	Address string
}

// Config configures a Client. All fields except Unauthorized and Dial are required.
type Config struct {
	// Replicas lists the current replicas.
	Replicas func(ctx context.Context) ([]Replica, error)
	// Token returns a bearer token with the audience names.ReportAudience, whose user may get the non-resource URL /report/v1. It does not know
	// the replica: nothing that a pod declares may select a token.
	Token func(ctx context.Context) (string, error)
	// Unauthorized is called with a token that a replica does not accept.
	Unauthorized func(token string)
	// Roots returns the CA certificates of the mesh (PEM).
	Roots func() ([]byte, error)
	// TrustDomain is the trust domain of the mesh. It determines the expected name in the replicas' certificates.
	TrustDomain string
	// Dial connects to a replica. The default connects to its Address. Clients outside the cluster forward a port here.
	Dial func(ctx context.Context, replica Replica) (net.Conn, error)
}

// Client reads reports of replicas. It is safe for concurrent use.
type Client struct{ config Config }

// New returns a Client.
func New(config Config) *Client {
	if config.Dial == nil {
		config.Dial = func(ctx context.Context, replica Replica) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "tcp", replica.Address)
		}
	}
	return &Client{config}
}

// Answer is the response of one replica. If Err is not nil, its state is unknown.
type Answer[T any] struct {
	Replica string
	Value   T
	Err     error
}

// Proxies reads the sidecars of all replicas. Answers are in the order of Config.Replicas.
func (c *Client) Proxies(ctx context.Context) ([]Answer[report.Proxies], error) {
	return ask[report.Proxies](ctx, c, report.ProxiesPath)
}

// Rejections reads the quarantined policies of all replicas.
func (c *Client) Rejections(ctx context.Context) ([]Answer[report.Rejections], error) {
	return ask[report.Rejections](ctx, c, report.RejectionsPath)
}

// Object reads the acknowledgements of a policy from all replicas.
func (c *Client) Object(ctx context.Context, kind, namespace, name string) ([]Answer[report.Object], error) {
	return ask[report.Object](ctx, c, report.ObjectsPath+kind+"/"+namespace+"/"+name)
}

// ask reads a document from all replicas in parallel. It returns an error if no replica could be asked.
func ask[T any](ctx context.Context, c *Client, path string) ([]Answer[T], error) {
	replicas, err := c.config.Replicas(ctx)
	if err != nil {
		return nil, fmt.Errorf("list replicas of the control plane: %w", err)
	}
	if len(replicas) == 0 {
		return nil, ErrNoReplicas
	}
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answers := make([]Answer[T], len(replicas))
	var wait sync.WaitGroup
	for i, replica := range replicas {
		answers[i].Replica = replica.Name
		wait.Go(func() { answers[i].Err = c.get(ctx, replica, roots, path, &answers[i].Value) })
	}
	wait.Wait()
	return answers, nil
}

func (c *Client) roots() (*x509.CertPool, error) {
	pem, err := c.config.Roots()
	if err != nil {
		return nil, fmt.Errorf("read the root certificate of the mesh: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the root certificate of the mesh contains no PEM certificate")
	}
	return pool, nil
}

// get reads a document from one replica. It verifies the replica's certificate before it sends the token.
func (c *Client) get(ctx context.Context, replica Replica, roots *x509.CertPool, path string, document any) error {
	token, err := c.config.Token(ctx)
	if err != nil {
		return fmt.Errorf("get a token for replica %s: %w", replica.Name, err)
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.config.Dial(ctx, replica) },
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: names.ReportCommonName(c.config.TrustDomain),
		},
		DisableKeepAlives: true,
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+replica.Name+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	response, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("connect to replica %s: %w", replica.Name, err)
	}
	defer func() { _ = response.Body.Close() }()
	body := io.LimitReader(response.Body, maxDocument)
	if response.StatusCode == http.StatusUnauthorized && c.config.Unauthorized != nil {
		c.config.Unauthorized(token)
	}
	if response.StatusCode != http.StatusOK {
		return responseError(replica, path, response.StatusCode, body)
	}
	if err := json.NewDecoder(body).Decode(document); err != nil {
		return fmt.Errorf("decode the response of replica %s: %w", replica.Name, err)
	}
	return nil
}

// responseError returns the error in a replica's response.
func responseError(replica Replica, path string, code int, body io.Reader) error {
	var document report.Error
	if err := json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&document); err != nil || document.Error == "" {
		document.Error = http.StatusText(code)
	}
	switch {
	case code == http.StatusNotFound && strings.HasPrefix(path, report.ObjectsPath):
		return fmt.Errorf("replica %s: %w", replica.Name, ErrNotFound)
	case code == http.StatusNotFound:
		return fmt.Errorf("replica %s: its version does not support this report", replica.Name)
	}
	return fmt.Errorf("replica %s returned an error: %s", replica.Name, document.Error)
}

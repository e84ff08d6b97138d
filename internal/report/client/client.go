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

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/report"
)

// Limits of what a replica may make us wait for and read.
const (
	patience    = 5 * time.Second
	maxDocument = 256 << 20
)

// ErrNotFound says that every replica does not know the object.
var ErrNotFound = errors.New("no replica of the control plane knows this object")

// ErrOlder says that a replica is of a version that does not report what was asked for.
var ErrOlder = errors.New("it has no report of this kind: it is of an older version")

// ErrNoReplicas says that there is nobody to ask.
var ErrNoReplicas = errors.New("no replica of the control plane runs, so nothing is known of its sidecars")

// Replica is one replica of the control plane.
type Replica struct {
	// Name is the pod's.
	Name string
	// Address is "host:port"; empty when the pod has none yet.
	Address string
}

// Config is what a Client needs. All fields are required, except Dial.
type Config struct {
	// Replicas lists the replicas that there are.
	Replicas func(ctx context.Context) ([]Replica, error)
	// Token is a bearer token of the cluster whose user may get the non-resource URL /report/v1.
	Token func() (string, error)
	// Roots are the certificates (PEM) of the mesh's certificate authority.
	Roots func() ([]byte, error)
	// TrustDomain is the mesh's, by which the replicas' certificate is known.
	TrustDomain string
	// Dial connects to a replica; nil connects to its Address. A client outside the cluster goes through the API server here.
	Dial func(ctx context.Context, replica Replica) (net.Conn, error)
}

// Client asks replicas. It is safe for concurrent use.
type Client struct{ config Config }

// New makes a Client.
func New(config Config) *Client {
	if config.Dial == nil {
		config.Dial = func(ctx context.Context, replica Replica) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "tcp", replica.Address)
		}
	}
	return &Client{config}
}

// Answer is what one replica says. When Err is not nil, what it would have said is unknown.
type Answer[T any] struct {
	Replica string
	Value   T
	Err     error
}

// Proxies asks every replica for its sidecars. Answers are in the order of Config.Replicas.
func (c *Client) Proxies(ctx context.Context) ([]Answer[report.Proxies], error) {
	return ask[report.Proxies](ctx, c, report.ProxiesPath)
}

// Rejections asks every replica for the policies that it withholds.
func (c *Client) Rejections(ctx context.Context) ([]Answer[report.Rejections], error) {
	return ask[report.Rejections](ctx, c, report.RejectionsPath)
}

// Object asks every replica how far its sidecars are with a policy.
func (c *Client) Object(ctx context.Context, kind, namespace, name string) ([]Answer[report.Object], error) {
	return ask[report.Object](ctx, c, report.ObjectsPath+kind+"/"+namespace+"/"+name)
}

// ask asks all replicas at once for a document. An error means that nobody could be asked.
func ask[T any](ctx context.Context, c *Client, path string) ([]Answer[T], error) {
	replicas, err := c.config.Replicas(ctx)
	if err != nil {
		return nil, fmt.Errorf("the replicas of the control plane cannot be listed: %w", err)
	}
	if len(replicas) == 0 {
		return nil, ErrNoReplicas
	}
	token, err := c.config.Token()
	if err != nil {
		return nil, fmt.Errorf("there is no token to show to the control plane: %w", err)
	}
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answers := make([]Answer[T], len(replicas))
	var wait sync.WaitGroup
	for i, replica := range replicas {
		answers[i].Replica = replica.Name
		wait.Go(func() { answers[i].Err = c.get(ctx, replica, roots, token, path, &answers[i].Value) })
	}
	wait.Wait()
	return answers, nil
}

func (c *Client) roots() (*x509.CertPool, error) {
	pem, err := c.config.Roots()
	if err != nil {
		return nil, fmt.Errorf("the mesh's root certificate cannot be read, so no replica can be trusted: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the mesh's root certificate holds no certificate, so no replica can be trusted")
	}
	return pool, nil
}

// get asks one replica over a connection of its own, whose certificate is verified before the token is sent.
func (c *Client) get(ctx context.Context, replica Replica, roots *x509.CertPool, token, path string, document any) error {
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
		return fmt.Errorf("replica %s cannot be reached: %w", replica.Name, err)
	}
	defer func() { _ = response.Body.Close() }()
	body := io.LimitReader(response.Body, maxDocument)
	if response.StatusCode != http.StatusOK {
		return refusal(replica, path, response.StatusCode, body)
	}
	if err := json.NewDecoder(body).Decode(document); err != nil {
		return fmt.Errorf("replica %s gave an answer that cannot be read: %w", replica.Name, err)
	}
	return nil
}

// refusal is the reason that a replica gives.
func refusal(replica Replica, path string, code int, body io.Reader) error {
	var document report.Error
	if err := json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&document); err != nil || document.Error == "" {
		document.Error = http.StatusText(code)
	}
	switch {
	case code == http.StatusNotFound && strings.HasPrefix(path, report.ObjectsPath):
		return fmt.Errorf("replica %s: %w", replica.Name, ErrNotFound)
	case code == http.StatusNotFound:
		return fmt.Errorf("replica %s: %w", replica.Name, ErrOlder)
	}
	return fmt.Errorf("replica %s refuses to answer: %s", replica.Name, document.Error)
}

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
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// timeout is for how long a replica may answer.
const timeout = 5 * time.Second

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

// Handovers reads the Envoys of all replicas that have taken over from others.
func (c *Client) Handovers(ctx context.Context) ([]Answer[report.Handovers], error) {
	return ask[report.Handovers](ctx, c, report.HandoversPath)
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
	if response.StatusCode == http.StatusUnauthorized && c.config.Unauthorized != nil {
		c.config.Unauthorized(token)
	}
	if response.StatusCode != http.StatusOK {
		return responseError(replica, path, response.StatusCode, response.Body)
	}
	if err := decode(response.Body, document); err != nil {
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

// ControlPlane identifies the control planes of a mesh.
type ControlPlane struct{ Mesh, Namespace string }

// Owned returns the pods that the Deployments of MeshRevisions created: each is controlled by a ReplicaSet of a Deployment with the name in its app
// label, and a MeshRevision of the mesh runs a Deployment of that name, which the operator maintains. UIDs are compared, because the author of a pod
// chooses its labels. reader must not lag behind the pods, or pods of a new ReplicaSet are missing.
func (p ControlPlane) Owned(ctx context.Context, reader client.Reader, pods []corev1.Pod) ([]corev1.Pod, error) {
	if len(pods) == 0 {
		return nil, nil
	}
	deployments, err := p.deployments(ctx, reader)
	if err != nil {
		return nil, err
	}
	apps, err := p.apps(ctx, reader, deployments)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool {
		app, owned := apps[controllerOf(&pod, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))]
		return !owned || pod.Namespace != p.Namespace || app != pod.Labels[names.AppLabel]
	}), nil
}

// deployments returns the names of the Deployments that MeshRevisions of the mesh run, by UID.
func (p ControlPlane) deployments(ctx context.Context, reader client.Reader) (map[types.UID]string, error) {
	var revisions v1alpha1.MeshRevisionList
	if err := reader.List(ctx, &revisions); err != nil {
		return nil, fmt.Errorf("list MeshRevisions: %w", err)
	}
	maintained := map[string]bool{}
	for i := range revisions.Items {
		if revision := &revisions.Items[i]; revision.Spec.Mesh == p.Mesh && revision.Spec.Namespace == p.Namespace {
			for _, suffix := range []string{"", names.CanarySuffix(p.Mesh, revision.Name)} {
				maintained[names.WithSuffix(names.Controller, suffix)] = true
				maintained[names.WithSuffix(names.Injector, suffix)] = true
			}
		}
	}
	items, err := p.metadata(ctx, reader, "Deployment")
	if err != nil {
		return nil, err
	}
	deployments := map[types.UID]string{}
	for i := range items {
		if name := items[i].Name; maintained[name] && items[i].Labels[names.MeshLabel] == p.Mesh {
			deployments[items[i].UID] = name
		}
	}
	return deployments, nil
}

// apps returns the app labels of the pods of ReplicaSets, by the UID of the ReplicaSet. That of a Deployment's pods is its name.
func (p ControlPlane) apps(ctx context.Context, reader client.Reader, deployments map[types.UID]string) (map[types.UID]string, error) {
	items, err := p.metadata(ctx, reader, "ReplicaSet")
	if err != nil {
		return nil, err
	}
	apps := map[types.UID]string{}
	for i := range items {
		if name, owned := deployments[controllerOf(&items[i], appsv1.SchemeGroupVersion.WithKind("Deployment"))]; owned {
			apps[items[i].UID] = name
		}
	}
	return apps, nil
}

// metadata lists the workloads of a kind in the namespace of the control plane.
func (p ControlPlane) metadata(ctx context.Context, reader client.Reader, kind string) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind + "List"))
	if err := reader.List(ctx, list, client.InNamespace(p.Namespace)); err != nil {
		return nil, fmt.Errorf("list %ss in namespace %s: %w", kind, p.Namespace, err)
	}
	return list.Items, nil
}

// controllerOf returns the UID of the controller of an object, if it has that kind; empty otherwise.
func controllerOf(object metav1.Object, kind schema.GroupVersionKind) types.UID {
	owner := metav1.GetControllerOf(object)
	if owner == nil || owner.Kind != kind.Kind {
		return ""
	}
	if group, err := schema.ParseGroupVersion(owner.APIVersion); err != nil || group.Group != kind.Group {
		return ""
	}
	return owner.UID
}

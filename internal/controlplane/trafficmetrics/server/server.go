package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics"
	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
)

// Profile returns the limits of clients. They leave room for several API servers, each of which forwards the requests of many users from one
// address.
func Profile() httplimit.Profile {
	return httplimit.Profile{
		Limits:        httplimit.Limits{Connections: 512, ConnectionsPerAddress: 128, Requests: 64, RequestsPerAddress: 32},
		HeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeader: 64 << 10,
	}
}

// Server serves the API. All fields are required.
type Server struct {
	// Config reaches the API server.
	Config *rest.Config
	// Host is the DNS name of the Service.
	Host   string
	Reader *trafficmetrics.Reader
	Now    func() time.Time
	Log    logr.Logger
}

// Serve serves on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	issuer, err := newIssuer(s.Now)
	if err != nil {
		return err
	}
	handler, err := s.handler(ctx)
	if err != nil {
		return err
	}
	clients, err := dynamic.NewForConfig(s.Config)
	if err != nil {
		return err
	}
	config := certificate.NewServerCertificate(issuer, s.Now, s.Host).TLSConfig()
	config.ClientAuth = tls.RequestClientCert
	server := &http.Server{Handler: handler, TLSConfig: config} //nolint:gosec // the profile has the timeouts
	limited := Profile().Apply(server, listener, func() {})
	registered := &registration{client: clients, bundle: issuer.bundle, log: s.Log}
	// A replica that serves before the API server trusts it fails requests.
	if err := registered.write(ctx); err != nil {
		s.Log.Error(err, "the certificate of this server cannot be written into its APIService yet")
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return httplimit.ServeTLS(ctx, server, limited, httplimit.Shutdown{}) })
	group.Go(func() error { return registered.run(ctx) })
	return group.Wait()
}

// handler returns the API behind authentication and authorization.
func (s *Server) handler(ctx context.Context) (http.Handler, error) {
	clients, err := kubernetes.NewForConfig(s.Config)
	if err != nil {
		return nil, err
	}
	objects, err := metadata.NewForConfig(s.Config)
	if err != nil {
		return nil, err
	}
	access, err := newAccess(ctx, clients, s.Now, s.Log)
	if err != nil {
		return nil, err
	}
	codecs := newCodecs()
	mux := http.NewServeMux()
	// Kubelets have no credentials.
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.Handle("/", protect(&trafficmetrics.Handler{Reader: s.Reader, Names: names(objects), Errors: codecs}, access, codecs))
	return mux, nil
}

// names lists the names of objects by their labels.
func names(client metadata.Interface) func(context.Context, schema.GroupVersionResource, string, labels.Selector) (map[string]bool, error) {
	return func(ctx context.Context, of schema.GroupVersionResource, namespace string, selector labels.Selector) (map[string]bool, error) {
		found, err := client.Resource(of).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
		if err != nil {
			return nil, err
		}
		selected := map[string]bool{}
		for i := range found.Items {
			selected[found.Items[i].Name] = true
		}
		return selected, nil
	}
}

// issuer issues the certificate of the server from a root that exists in memory only.
type issuer struct {
	*certificate.Issuer
	bundle []byte
}

// Generation implements certificate.ServerIssuer. The root never changes.
func (*issuer) Generation() string { return "" }

func newIssuer(now func() time.Time) (*issuer, error) {
	key := certificate.KeySpec{Algorithm: certificate.ECDSA, Bits: 256}
	root, err := certificate.NewRoot(key, now())
	if err != nil {
		return nil, fmt.Errorf("create a root for the certificate of the server: %w", err)
	}
	return &issuer{certificate.NewIssuer(root, key, now), root.CertPEM()}, nil
}

// newCodecs returns an encoder of errors.
func newCodecs() runtime.NegotiatedSerializer {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	return serializer.NewCodecFactory(scheme).WithoutConversion()
}

// protect authenticates and authorizes requests before next.
func protect(next http.Handler, a *access, codecs runtime.NegotiatedSerializer) http.Handler {
	handler := filters.WithAuthorization(next, a.authorizer, codecs)
	handler = filters.WithAuthentication(handler, a.authenticator, filters.Unauthorized(codecs), nil, a.headers)
	return filters.WithRequestInfo(handler, edgesOfNamespaces{&request.RequestInfoFactory{
		APIPrefixes:          sets.NewString("apis"),
		GrouplessAPIPrefixes: sets.NewString(),
	}})
}

// edgesOfNamespaces reads namespaces/x/edges as the sub-resource of a namespace. Kubernetes reads it as a resource in the namespace.
type edgesOfNamespaces struct{ next request.RequestInfoResolver }

// NewRequestInfo implements request.RequestInfoResolver.
func (e edgesOfNamespaces) NewRequestInfo(r *http.Request) (*request.RequestInfo, error) {
	info, err := e.next.NewRequestInfo(r)
	if err == nil && info.IsResourceRequest && info.Resource == "edges" && info.Name == "" {
		info.Resource, info.Subresource, info.Name = "namespaces", "edges", info.Namespace
		if info.Verb == "list" {
			info.Verb = "get"
		}
	}
	return info, err
}

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics"
)

// Limits of a request.
const (
	headerTimeout   = 10 * time.Second
	requestTimeout  = 30 * time.Second
	shutdownTimeout = 10 * time.Second
)

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
	config.NextProtos, config.ClientAuth = []string{"h2", "http/1.1"}, tls.RequestClientCert
	server := &http.Server{Handler: handler, TLSConfig: config, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		return server.Shutdown(stopping)
	})
	registered := &registration{client: clients, bundle: issuer.bundle, log: s.Log}
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
	access, err := newAccess(ctx, clients, s.Log)
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

package kube

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// ErrNoOperator is returned if the cluster has no CRD for Mesh.
var ErrNoOperator = errors.New("the operator is not installed (no CRD for kind Mesh): install it with `osm install --operator`, or apply dist/install.yaml")

// Sentence replaces a known client error by a message with the remedy. Other errors are returned unchanged.
func (f *Flags) Sentence(err error) error {
	if err == nil {
		return nil
	}
	known := f.sentence(err)
	if known == "" {
		return err
	}
	if f.Verbose {
		known += "\n  " + err.Error()
	}
	return &rewrittenError{text: known, cause: err}
}

// rewrittenError is an error with a rewritten message.
type rewrittenError struct {
	text  string
	cause error
}

func (e *rewrittenError) Error() string { return e.text }
func (e *rewrittenError) Unwrap() error { return e.cause }

func (f *Flags) sentence(err error) string {
	var rewritten *rewrittenError
	var address *url.Error
	switch {
	case errors.As(err, &rewritten), errors.Is(err, context.Canceled):
		return ""
	case clientcmd.IsEmptyConfig(err):
		return "no cluster is configured: set KUBECONFIG or use --kubeconfig"
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("kubeconfig %s not found: check --kubeconfig or KUBECONFIG", f.kubeconfig())
	case clientcmd.IsContextNotFound(err) || clientcmd.IsConfigurationInvalid(err) || strings.Contains(err.Error(), "context \"") && strings.Contains(err.Error(), "does not exist"):
		return fmt.Sprintf("invalid kubeconfig %s (%s): list contexts with `kubectl config get-contexts` and select one with --context", f.kubeconfig(), err)
	case IsUndefined(err):
		return undefined(err)
	case apierrors.IsUnauthorized(err):
		return fmt.Sprintf("not authenticated: log in again, or select another context than %q with --context", f.ContextName())
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("permission denied: %s. Ask a cluster administrator for this permission (`kubectl auth can-i --list` shows yours)", forbidden(err))
	case errors.As(err, &address):
		return unreachable(address)
	}
	return ""
}

// IsUndefined returns true if the cluster has no CRD for the requested kind.
func IsUndefined(err error) bool {
	var groups *discovery.ErrGroupDiscoveryFailed
	return meta.IsNoMatchError(err) || errors.As(err, &groups)
}

func undefined(err error) string {
	if strings.Contains(err.Error(), operatorv1alpha1.GroupVersion.Group) || strings.Contains(err.Error(), `"Mesh`) {
		return ErrNoOperator.Error()
	}
	return fmt.Sprintf("the cluster has no CRD for a required kind (%s): check that a mesh is installed with `osm check`", err)
}

// forbidden returns the API server's explanation without the prefix that repeats the object.
func forbidden(err error) string {
	text := err.Error()
	if _, after, found := strings.Cut(text, "is forbidden: "); found {
		return after
	}
	return text
}

func unreachable(err *url.Error) string {
	host := err.URL
	if parsed, parseErr := url.Parse(err.URL); parseErr == nil {
		host = parsed.Scheme + "://" + parsed.Host
	}
	reason := err.Err.Error()
	var operation *net.OpError
	switch {
	case err.Timeout():
		reason = "timeout"
	case strings.Contains(reason, "x509:"):
		return fmt.Sprintf("the kubeconfig does not trust the certificate of the cluster at %s (%s): check certificate-authority-data and server", host, reason)
	case errors.As(err.Err, &operation):
		reason = operation.Err.Error()
	}
	return fmt.Sprintf("could not connect to the cluster at %s (%s): check that it is running and that --context is correct", host, reason)
}

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

// ErrNoOperator is the error of a cluster that does not know the kind Mesh.
var ErrNoOperator = errors.New("this cluster does not know the kind Mesh, so the operator is not installed: install it with `osm install --operator`, or apply its manifests (dist/install.yaml)")

// Sentence makes an error that says what to do of one that a client returned. Errors that it does not know stay as they are.
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
	return &told{text: known, cause: err}
}

// told is an error in our words that remembers its cause.
type told struct {
	text  string
	cause error
}

func (t *told) Error() string { return t.text }
func (t *told) Unwrap() error { return t.cause }

func (f *Flags) sentence(err error) string {
	var already *told
	var address *url.Error
	switch {
	case errors.As(err, &already), errors.Is(err, context.Canceled):
		return ""
	case clientcmd.IsEmptyConfig(err):
		return "no cluster is configured: set KUBECONFIG to the path of a kubeconfig, or give --kubeconfig"
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("the kubeconfig %s does not exist: correct --kubeconfig or KUBECONFIG", f.kubeconfig())
	case clientcmd.IsContextNotFound(err) || clientcmd.IsConfigurationInvalid(err) || strings.Contains(err.Error(), "context \"") && strings.Contains(err.Error(), "does not exist"):
		return fmt.Sprintf("the kubeconfig %s cannot be used (%s): list its contexts with `kubectl config get-contexts` and choose one with --context", f.kubeconfig(), err)
	case IsUndefined(err):
		return undefined(err)
	case apierrors.IsUnauthorized(err):
		return fmt.Sprintf("the cluster does not know who you are: log in again, or choose another context than %q with --context", f.ContextName())
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("you are not allowed to do this: %s. Ask an administrator of the cluster for that right (`kubectl auth can-i --list` shows what you have)", forbidden(err))
	case errors.As(err, &address):
		return unreachable(address)
	}
	return ""
}

// IsUndefined says whether the cluster does not define the kind that was asked for.
func IsUndefined(err error) bool {
	var groups *discovery.ErrGroupDiscoveryFailed
	return meta.IsNoMatchError(err) || errors.As(err, &groups)
}

func undefined(err error) string {
	if strings.Contains(err.Error(), operatorv1alpha1.GroupVersion.Group) || strings.Contains(err.Error(), `"Mesh`) {
		return ErrNoOperator.Error()
	}
	return fmt.Sprintf("this cluster does not define a kind that is needed (%s): is a mesh installed? See `osm check`", err)
}

// forbidden is the API server's explanation without its beginning, which names the object a second time.
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
		reason = "no answer in time"
	case strings.Contains(reason, "x509:"):
		return fmt.Sprintf("the cluster at %s shows a certificate that the kubeconfig does not trust (%s): check certificate-authority-data and the server's name in it", host, reason)
	case errors.As(err.Err, &operation):
		reason = operation.Err.Error()
	}
	return fmt.Sprintf("the cluster at %s cannot be reached (%s): check that it is running and that the right context is chosen (--context)", host, reason)
}

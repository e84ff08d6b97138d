package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Forward forwards a local port to a port of a pod, like kubectl port-forward, until ctx ends. If local is 0, it selects a free port. It
// returns the local address, such as 127.0.0.1:41234.
func (f *Flags) Forward(ctx context.Context, namespace, pod string, local, port int) (string, error) {
	address, _, err := f.forward(ctx, namespace, pod, local, port)
	return address, err
}

// Hold is like Forward, but blocks until ctx ends or the connection fails. It calls opened with the local address.
func (f *Flags) Hold(ctx context.Context, namespace, pod string, local, port int, opened func(address string)) error {
	address, broken, err := f.forward(ctx, namespace, pod, local, port)
	if err != nil {
		return err
	}
	opened(address)
	if err := <-broken; err != nil && ctx.Err() == nil {
		return fmt.Errorf("connection to pod %s/%s lost: %w", namespace, pod, f.Sentence(err))
	}
	return nil
}

// forward starts port forwarding. It sends the final error to broken.
func (f *Flags) forward(ctx context.Context, namespace, pod string, local, port int) (address string, broken <-chan error, err error) {
	dialer, err := f.dialer(namespace, pod)
	if err != nil {
		return "", nil, err
	}
	ready := make(chan struct{})
	forwarder, err := portforward.NewOnAddressesForStreaming(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("%d:%d", local, port)}, ctx.Done(),
		ready, io.Discard, io.Discard)
	if err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return "", nil, fmt.Errorf("forward to port %d of pod %s/%s: %w", port, namespace, pod, f.Sentence(err))
	// The forwarder ends with ctx only after it has connected.
	case <-ctx.Done():
		return "", nil, fmt.Errorf("forward to port %d of pod %s/%s: %w", port, namespace, pod, ctx.Err())
	case <-time.After(f.podTimeout):
		return "", nil, fmt.Errorf("forward to port %d of pod %s/%s: no answer within %s: check the node of the pod", port, namespace, pod, f.podTimeout)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local), ended, nil
}

// dialer uses WebSockets and falls back to SPDY for older API servers.
func (f *Flags) dialer(namespace, pod string) (httpstream.Dialer, error) {
	config, err := f.Config()
	if err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	address := clients.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, address)
	newer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(address, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// PodAnswer sends a GET request to an HTTP server in a pod through the API server, and returns the response.
func (f *Flags) PodAnswer(ctx context.Context, namespace, pod string, port int, path string) ([]byte, error) {
	clients, err := f.Clientset()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, f.podTimeout)
	defer cancel()
	answer, err := clients.CoreV1().Pods(namespace).ProxyGet("http", pod, fmt.Sprint(port), path, nil).DoRaw(limited)
	if limited.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("port %d of pod %s/%s: no answer within %s", port, namespace, pod, f.podTimeout)
	}
	return answer, f.Sentence(err)
}

// tokenSeconds is the validity of a requested token. It is the minimum that the API server accepts.
const tokenSeconds = 600

// errNoAudience means that the caller named no audience.
var errNoAudience = errors.New("a token without audience would be for the API server")

// RequestToken returns a short-lived token of a service account for an audience, which is not that of the API server.
func (f *Flags) RequestToken(ctx context.Context, namespace, account, audience string) (string, error) {
	if audience == "" {
		// A request without audiences yields a token for the API server.
		return "", errNoAudience
	}
	clients, err := f.Clientset()
	if err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:         []string{audience},
		ExpirationSeconds: ptr.To[int64](tokenSeconds),
	}}
	answer, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token of service account %s/%s: %w", namespace, account, f.Sentence(err))
	}
	return answer.Status.Token, nil
}

// IsGone returns true for pods that have ended or terminate. A restart does not concern them.
func IsGone(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// ErrIdle means that a slot runs no Envoy.
var ErrIdle = errors.New("the slot is idle, it runs no Envoy")

// SlotAnswer sends a request to the admin interface of the Envoy in a slot of a pod, and returns the response. The path begins with a slash. It runs
// the launcher in the slot, like kubectl exec.
func (f *Flags) SlotAnswer(ctx context.Context, namespace, pod, slot, method, path string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, f.podTimeout)
	defer cancel()
	executor, err := f.executor(namespace, pod, slot, names.LauncherDir+"/"+names.LauncherFile, names.LauncherAdmin, slot, method, path)
	if err != nil {
		return nil, err
	}
	var answer, problem bytes.Buffer
	err = executor.StreamWithContext(limited, remotecommand.StreamOptions{Stdout: &answer, Stderr: &problem})
	var ended exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitStatus() == names.LauncherIdle:
		return nil, ErrIdle
	case errors.As(err, &ended):
		return nil, fmt.Errorf("%s: %s", strings.TrimSpace(problem.String()), firstLine(answer.String()))
	case ctx.Err() != nil:
		return nil, fmt.Errorf("container %s of pod %s/%s: %w", slot, namespace, pod, ctx.Err())
	case limited.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("container %s of pod %s/%s: no answer within %s", slot, namespace, pod, f.podTimeout)
	case err != nil:
		return nil, f.Sentence(err)
	}
	return answer.Bytes(), nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// executor uses WebSockets and falls back to SPDY for older API servers.
func (f *Flags) executor(namespace, pod, container string, command ...string) (remotecommand.Executor, error) {
	config, err := f.Config()
	if err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	address := clients.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
	older, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, address)
	if err != nil {
		return nil, err
	}
	newer, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, address.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}

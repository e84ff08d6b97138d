package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Forward opens a local port that leads to a port inside a pod, as kubectl port-forward does, until ctx ends. local is the
// local port; 0 chooses one. The result is its address, such as 127.0.0.1:41234.
func (f *Flags) Forward(ctx context.Context, namespace, pod string, local, port int) (string, error) {
	address, _, err := f.forward(ctx, namespace, pod, local, port)
	return address, err
}

// Hold is Forward for people: it tells opened the address, and returns when ctx ends, or with an error when the way to the pod
// breaks.
func (f *Flags) Hold(ctx context.Context, namespace, pod string, local, port int, opened func(address string)) error {
	address, broken, err := f.forward(ctx, namespace, pod, local, port)
	if err != nil {
		return err
	}
	opened(address)
	if err := <-broken; err != nil && ctx.Err() == nil {
		return fmt.Errorf("the connection to pod %s/%s has ended: %w", namespace, pod, f.Sentence(err))
	}
	return nil
}

// forward opens a port; broken is told when it is closed again.
func (f *Flags) forward(ctx context.Context, namespace, pod string, local, port int) (address string, broken <-chan error, err error) {
	dialer, err := f.dialer(namespace, pod)
	if err != nil {
		return "", nil, err
	}
	ready := make(chan struct{})
	forwarder, err := portforward.NewOnAddressesForStreaming(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("%d:%d", local, port)}, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return "", nil, fmt.Errorf("port %d of pod %s/%s cannot be reached: %w", port, namespace, pod, f.Sentence(err))
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local), ended, nil
}

// dialer prefers WebSockets and falls back to SPDY for API servers that do not speak them.
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

// PodAnswer asks an HTTP server in a pod, through the API server.
func (f *Flags) PodAnswer(ctx context.Context, namespace, pod string, port int, path string) ([]byte, error) {
	config, err := f.Config()
	if err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	answer, err := clients.CoreV1().Pods(namespace).ProxyGet("http", pod, fmt.Sprint(port), path, nil).DoRaw(ctx)
	if err != nil {
		return nil, f.Sentence(err)
	}
	return answer, nil
}

package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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

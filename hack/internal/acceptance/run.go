package acceptance

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
)

//go:embed manifests/objects.yaml
var objects string

// Cluster is a running cluster that has the probe image on its node.
type Cluster struct {
	// Kubectl is the path of kubectl, Kubeconfig the file it uses.
	Kubectl, Kubeconfig string
	// Namespace is created for the checks and deleted afterwards.
	Namespace string
	// ByTag and ByDigest are references of the probe image.
	ByTag, ByDigest string
}

// checkTimeout is the time limit of one check, which may be repeated at an interval.
const checkTimeout, checkInterval = 60 * time.Second, 200 * time.Millisecond

// Run creates the objects, runs every check, deletes the objects and returns all failures.
func (c Cluster) Run(ctx context.Context, report *progress.Reporter) error {
	defer c.deleteObjects()
	if err := report.Run(ctx, "starting pods", c.createObjects); err != nil {
		return err
	}
	var failed error
	for _, check := range c.checks() {
		if err := report.Run(ctx, check.name, check.run); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", check.name, err))
		}
	}
	return failed
}

func (c Cluster) createObjects(ctx context.Context) error {
	if _, err := c.kubectl(ctx, "", "create", "namespace", c.Namespace); err != nil {
		return err
	}
	var manifest bytes.Buffer
	parsed, err := template.New("objects").Parse(objects)
	if err != nil {
		return err
	}
	if err := parsed.Execute(&manifest, c); err != nil {
		return err
	}
	if _, err := c.kubectl(ctx, manifest.String(), "apply", "--server-side", "-f", "-"); err != nil {
		return err
	}
	if _, err := c.inNamespace(ctx, "rollout", "status", "deployment/server", "--timeout=60s"); err != nil {
		return err
	}
	_, err = c.inNamespace(ctx, "wait", "pod/client", "--for=condition=Ready", "--timeout=60s")
	return err
}

// deleteObjects deletes the objects, also when the caller's context has ended.
func (c Cluster) deleteObjects() {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	for _, object := range []string{"validatingadmissionpolicybinding/", "validatingadmissionpolicy/", "namespace/"} {
		_, _ = c.kubectl(ctx, "", "delete", object+c.Namespace, "--ignore-not-found")
	}
}

func (c Cluster) inNamespace(ctx context.Context, args ...string) (string, error) {
	return c.kubectl(ctx, "", append([]string{"--namespace", c.Namespace}, args...)...)
}

// inClient runs the probe in the client's pod.
func (c Cluster) inClient(ctx context.Context, args ...string) (string, error) {
	return c.inNamespace(ctx, append([]string{"exec", "client", "--", "/probe"}, args...)...)
}

func (c Cluster) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	return kubectl.Client{Path: c.Kubectl, Kubeconfig: c.Kubeconfig}.Run(ctx, stdin, args...)
}

// checkToken compares the token in the client's pod with the discovery document and keys of the API server.
func (c Cluster) checkToken(ctx context.Context) error {
	raw, err := c.inClient(ctx, "cat", "/token/token")
	if err != nil {
		return err
	}
	header, claims, err := parseToken(raw)
	if err != nil {
		return err
	}
	if !slices.Equal(claims.Audience, []string{"acceptance"}) || claims.Kubernetes.Pod.Name != "client" {
		return fmt.Errorf("the token has audience %v and pod %q", claims.Audience, claims.Kubernetes.Pod.Name)
	}
	discovery, err := c.kubectl(ctx, "", "get", "--raw", "/.well-known/openid-configuration")
	if err != nil {
		return err
	}
	if !strings.Contains(discovery, `"issuer":"`+claims.Issuer+`"`) {
		return fmt.Errorf("the discovery document %s does not name the token's issuer %s", discovery, claims.Issuer)
	}
	keys, err := c.kubectl(ctx, "", "get", "--raw", "/openid/v1/jwks")
	if err == nil && !strings.Contains(keys, `"kid":"`+header.KeyID+`"`) {
		err = fmt.Errorf("the published keys %s lack the token's %s", keys, header.KeyID)
	}
	return err
}

type tokenHeader struct {
	KeyID string `json:"kid"`
}

type tokenClaims struct {
	Issuer     string   `json:"iss"`
	Audience   []string `json:"aud"`
	Kubernetes struct {
		Pod struct {
			Name string `json:"name"`
		} `json:"pod"`
	} `json:"kubernetes.io"`
}

// parseToken decodes the header and the claims of a token. It does not verify the signature.
func parseToken(raw string) (tokenHeader, tokenClaims, error) {
	var header tokenHeader
	var claims tokenClaims
	parts := strings.Split(strings.TrimSpace(raw), ".")
	if len(parts) != 3 {
		return header, claims, fmt.Errorf("a token has three parts, this one has %d", len(parts))
	}
	for i, into := range []any{&header, &claims} {
		content, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return header, claims, err
		}
		if err := json.Unmarshal(content, into); err != nil {
			return header, claims, err
		}
	}
	return header, claims, nil
}

package kubectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Client is kubectl with a kubeconfig.
type Client struct {
	// Path is the path of kubectl, Kubeconfig the file it uses.
	Path, Kubeconfig string
}

// Run runs kubectl with standard input, and returns its trimmed standard output.
func (c Client) Run(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.Path, append([]string{"--kubeconfig", c.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("`kubectl %s` failed: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problem.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// rolloutLimit is the time limit for the pods of a Deployment to become ready.
const rolloutLimit = "120s"

// Install applies manifests. Before them it applies the definitions in a folder and waits until their kinds are served; empty means none.
func (c Client) Install(ctx context.Context, definitions, manifests string) error {
	if definitions != "" {
		if _, err := c.Run(ctx, "", "apply", "--server-side", "-f", definitions); err != nil {
			return err
		}
		if _, err := c.Run(ctx, "", "wait", "--for=condition=Established", "--timeout=60s", "-f", definitions); err != nil {
			return err
		}
	}
	_, err := c.Run(ctx, manifests, "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// Await waits until Deployments of a namespace have their pods.
func (c Client) Await(ctx context.Context, namespace string, deployments ...string) error {
	for _, name := range deployments {
		if _, err := c.Run(ctx, "", "--namespace", namespace, "rollout", "status", "deployment/"+name, "--timeout="+rolloutLimit); err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes manifests, and then the definitions in a folder with all objects of their kinds; empty means none.
func (c Client) Remove(ctx context.Context, definitions, manifests string) error {
	_, err := c.Run(ctx, manifests, "delete", "--ignore-not-found", "-f", "-")
	if definitions == "" {
		return err
	}
	_, definitionsErr := c.Run(ctx, "", "delete", "--ignore-not-found", "-f", definitions)
	return errors.Join(err, definitionsErr)
}

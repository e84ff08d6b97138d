package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/openservicemesh/osm-operator/internal/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/redirect"
)

func main() {
	if err := run(os.Args[1:], os.Getenv, bootstrap.DefaultDirs()); err != nil {
		fmt.Fprintln(os.Stderr, "osm-init:", err)
		os.Exit(1)
	}
}

// run prepares the pod. The files come first: rules without a sidecar would cut the pod off.
func run(args []string, getenv func(string) string, dirs bootstrap.Dirs) error {
	document, err := initconfig.Parse(args)
	if err != nil {
		return err
	}
	pod, err := podFromEnvironment(getenv)
	if err != nil {
		return err
	}
	config := document.Bootstrap
	config.ServiceAccount, config.Namespace, config.PodIPs, config.Dirs = pod.serviceAccount, pod.namespace, pod.ips, dirs
	if err := writeBootstrap(config); err != nil {
		return err
	}
	rules := document.Redirect
	rules.PodIPs = pod.ips
	if err := redirect.Apply(rules); err != nil {
		return err
	}
	return report(rules)
}

// writeBootstrap writes the files so that the sidecar's user can read them. They hold no secrets.
func writeBootstrap(config bootstrap.Config) error {
	files, err := bootstrap.Render(config)
	if err != nil {
		return fmt.Errorf("the sidecar's bootstrap cannot be made: %w", err)
	}
	root, err := os.OpenRoot(config.Dirs.Config)
	if err != nil {
		return fmt.Errorf("the directory of the sidecar's bootstrap cannot be opened, its volume must be mounted there: %w", err)
	}
	defer root.Close()
	for _, file := range files {
		const readableByAll = 0o644
		if err := root.WriteFile(file.Name, file.Content, readableByAll); err != nil {
			return fmt.Errorf("%s of the sidecar cannot be written: %w", file.Name, err)
		}
		// The process may run with a stricter file mode mask.
		if err := root.Chmod(file.Name, readableByAll); err != nil {
			return fmt.Errorf("%s of the sidecar cannot be made readable for it: %w", file.Name, err)
		}
	}
	return nil
}

// report prints the rules, so that the log of the container says what is and what is not redirected.
func report(config redirect.Config) error {
	lines, err := redirect.Rules(config)
	if err != nil {
		return err
	}
	var problems error
	for _, line := range lines {
		_, err := fmt.Println(line)
		problems = errors.Join(problems, err)
	}
	return problems
}

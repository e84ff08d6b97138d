package podinit

import (
	"errors"
	"fmt"
	"os"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
)

// Prepare prepares the pod for its sidecar. resolverFile is like ResolverFile. It writes the files first, because the redirection without a
// sidecar would cut the pod off.
func Prepare(args []string, getenv func(string) string, dirs bootstrap.Dirs, resolverFile string) error {
	document, err := initconfig.Parse(args)
	if err != nil {
		return err
	}
	pod, err := podFromEnvironment(getenv)
	if err != nil {
		return err
	}
	resolution, err := readDNS(resolverFile)
	if err != nil {
		return err
	}
	config := document.Bootstrap
	config.XDSHost = resolution.hostOf(config.XDSHost)
	config.ServiceAccount, config.Namespace, config.PodIPs, config.Dirs = pod.serviceAccount, pod.namespace, pod.ips, dirs
	if config.Gateway {
		config.ProxyUUID = getenv(envPodUID)
		return writeBootstrap(config)
	}
	if err := writeBootstrap(config); err != nil {
		return err
	}
	rules := document.Redirect
	rules.PodIPs = pod.ips
	rules.Resolvers = resolution.servers
	if err := redirect.Apply(rules); err != nil {
		return err
	}
	return printRules(rules)
}

// writeBootstrap writes the files readable for the sidecar's user. They contain no secrets.
func writeBootstrap(config bootstrap.Config) error {
	files, err := bootstrap.Render(config)
	if err != nil {
		return fmt.Errorf("the sidecar's bootstrap cannot be rendered: %w", err)
	}
	root, err := os.OpenRoot(config.Dirs.Config)
	if err != nil {
		return fmt.Errorf("the directory of the sidecar's bootstrap cannot be opened, check that its volume is mounted: %w", err)
	}
	defer root.Close()
	for _, file := range files {
		const readableByAll = 0o644
		if err := root.WriteFile(file.Name, file.Content, readableByAll); err != nil {
			return fmt.Errorf("%s of the sidecar cannot be written: %w", file.Name, err)
		}
		// The umask of the process may be stricter.
		if err := root.Chmod(file.Name, readableByAll); err != nil {
			return fmt.Errorf("%s of the sidecar cannot be made readable for its user: %w", file.Name, err)
		}
	}
	return nil
}

// printRules prints the rules to the container's log.
func printRules(config redirect.Config) error {
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

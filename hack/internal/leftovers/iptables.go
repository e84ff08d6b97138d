package leftovers

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// iptables are the programs for each protocol. With the endings -save and -restore they read and replace all rules.
var iptables = []string{"iptables", "ip6tables"}

// iptablesRules names the programs that find rules of kube-proxy, which it makes in the mode iptables. A machine without iptables has none.
func iptablesRules(ctx context.Context) ([]string, error) {
	var found []string
	for _, program := range iptables {
		rules, err := savedRules(ctx, program)
		if err != nil {
			return nil, err
		}
		if withoutProxy(rules) != rules {
			found = append(found, "of kube-proxy in "+program)
		}
	}
	return found, nil
}

func deleteIptablesRules(ctx context.Context) error {
	for _, program := range iptables {
		rules, err := savedRules(ctx, program)
		if err != nil {
			return err
		}
		remaining := withoutProxy(rules)
		if remaining == rules {
			continue
		}
		cmd := exec.CommandContext(ctx, program+"-restore")
		cmd.Stdin = strings.NewReader(remaining)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("`%s-restore` failed: %w: %s", program, err, out)
		}
	}
	return nil
}

// savedRules returns all rules of a protocol; nothing if this machine does not have the program.
func savedRules(ctx context.Context, program string) (string, error) {
	save := program + "-save"
	if _, err := exec.LookPath(save); err != nil {
		return "", nil //nolint:nilerr // see above
	}
	out, err := exec.CommandContext(ctx, save).Output()
	if err != nil {
		return "", fmt.Errorf("`%s` failed: %w", save, err)
	}
	return string(out), nil
}

// withoutProxy returns saved rules without the chains of kube-proxy, and the rules in them or to them.
func withoutProxy(rules string) string {
	var kept strings.Builder
	for line := range strings.Lines(rules) {
		if !strings.Contains(line, "KUBE-") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

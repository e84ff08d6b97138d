package redirect

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// TestApply_InstallsRules lists the rules with nft and compares them with the output of Rules.
func TestApply_InstallsRules(t *testing.T) {
	for name, config := range ruleCases() {
		t.Run(name, func(t *testing.T) {
			ns := nstest.New(t)
			apply(t, ns, config)
			want, err := Rules(config)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, kernelRules(t, ns)); diff != "" {
				t.Errorf("the kernel's rules differ from Rules (-want +got):\n%s", diff)
			}
		})
	}
}

// TestApply_ReplacesTable replaces rules and expects none of the earlier table.
func TestApply_ReplacesTable(t *testing.T) {
	ns := nstest.New(t)
	apply(t, ns, ruleCases()["everything"])
	apply(t, ns, Config{})
	first := listing(t, ns)
	apply(t, ns, Config{})
	if diff := cmp.Diff(first, listing(t, ns)); diff != "" {
		t.Errorf("the second run changed the rules (-first +second):\n%s", diff)
	}
	want, err := Rules(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, kernelRules(t, ns)); diff != "" {
		t.Errorf("rules of the replaced table are left (-want +got):\n%s", diff)
	}
}

// TestApply_ManyRanges uses more ranges than one netlink message holds.
func TestApply_ManyRanges(t *testing.T) {
	var config Config
	for i := range 3000 {
		config.ExcludeOutboundRanges = append(config.ExcludeOutboundRanges, prefixes(fmt.Sprintf("10.%d.%d.0/25", i/256, i%256))...)
		config.ExcludeOutboundRanges = append(config.ExcludeOutboundRanges, prefixes(fmt.Sprintf("fd00:%x::/48", i))...)
	}
	ns := nstest.New(t)
	apply(t, ns, config)
	want, err := Rules(config)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, kernelRules(t, ns)); diff != "" {
		t.Errorf("ranges differ (-want +got):\n%s", diff)
	}
}

func apply(t *testing.T, ns *nstest.Namespace, config Config) {
	t.Helper()
	var err error
	ns.Do(func() { err = Apply(config) })
	if err != nil {
		t.Fatal(err)
	}
}

func listing(t *testing.T, ns *nstest.Namespace) string {
	t.Helper()
	out, err := ns.Output(exec.Command("nft", "list", "table", "inet", Table))
	if err != nil {
		t.Fatalf("nft cannot list the rules (the Debian package nftables has it): %v\n%s", err, out)
	}
	return string(out)
}

// kernelRules converts nft's listing to the form of Rules, with sets expanded where they are used.
func kernelRules(t *testing.T, ns *nstest.Namespace) []string {
	t.Helper()
	sets := map[string]string{}
	var lines []string
	var block string
	for _, line := range strings.Split(listing(t, ns), "\n") {
		line = strings.TrimSpace(line)
		fields := strings.Fields(line)
		switch {
		case len(fields) == 3 && (fields[0] == "set" || fields[0] == "chain"):
			block = fields[1]
			if fields[0] == "chain" {
				lines = append(lines, "chain "+block)
			}
		case len(fields) == 0, line == "}", fields[0] == "table", fields[0] == "type", fields[0] == "flags":
		case fields[0] == "elements":
			sets[block] = strings.TrimPrefix(line, "elements = ")
		case len(lines) == 0:
			// nft wraps long lists of elements.
			sets[block] += " " + line
		default:
			lines = append(lines, "  "+line)
		}
	}
	for i, line := range lines {
		before, rest, found := strings.Cut(line, "@")
		if found {
			name, after, _ := strings.Cut(rest, " ")
			lines[i] = before + sets[name] + " " + after
		}
	}
	return lines
}

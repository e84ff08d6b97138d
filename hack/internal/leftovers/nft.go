package leftovers

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// tables are the names of the tables of kube-proxy and the portmap plugin, in both protocols.
var tables = []string{"kube-proxy", "cni_hostport"}

// nftTables returns the cluster's tables, such as "ip kube-proxy". A machine without nft has none.
func nftTables(ctx context.Context) ([]string, error) {
	if _, err := exec.LookPath("nft"); err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	out, err := exec.CommandContext(ctx, "nft", "list", "tables").Output()
	if err != nil {
		return nil, fmt.Errorf("`nft list tables` failed: %w", err)
	}
	return parseTables(string(out)), nil
}

func parseTables(out string) []string {
	var found []string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "table" && slices.Contains(tables, fields[2]) {
			found = append(found, fields[1]+" "+fields[2])
		}
	}
	return found
}

func deleteNftTables(ctx context.Context) error {
	found, err := nftTables(ctx)
	if err != nil {
		return err
	}
	for _, table := range found {
		args := append([]string{"delete", "table"}, strings.Fields(table)...)
		if out, err := exec.CommandContext(ctx, "nft", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot delete the table %s: %w: %s", table, err, out)
		}
	}
	return nil
}

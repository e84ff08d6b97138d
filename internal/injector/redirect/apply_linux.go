package redirect

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
)

// elementsPerMessage keeps a message of set elements below the 64 KB limit of a netlink attribute.
const elementsPerMessage = 500

// Apply installs the rules in the network namespace of the calling thread. It replaces the whole table in one
// transaction: the pod is never without rules, and applying the same Config again changes nothing.
func Apply(c Config) error {
	chains, err := buildChains(c)
	if err != nil {
		return err
	}
	conn, err := nftables.New(nftables.WithSockOptions(enlargeBuffers))
	if err != nil {
		return fmt.Errorf("the netfilter socket cannot be opened: %w", err)
	}
	table := &nftables.Table{Name: Table, Family: nftables.TableFamilyINet}
	// Deleting a missing table fails, so the table is added first.
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	var sets uint32
	for _, ch := range chains {
		if err := addChain(conn, table, ch, &sets); err != nil {
			return err
		}
	}
	if err := conn.Flush(); err != nil {
		return describeError(err)
	}
	return nil
}

// enlargeBuffers lets the socket hold a transaction with all rules. The default size holds a few thousand ranges.
func enlargeBuffers(conn *netlink.Conn) error {
	const bytes = 8 << 20
	return errors.Join(conn.SetWriteBuffer(bytes), conn.SetReadBuffer(bytes))
}

// addChain adds a chain with its rules and sets. sets counts the sets of the transaction.
func addChain(conn *nftables.Conn, table *nftables.Table, ch chain, sets *uint32) error {
	added := conn.AddChain(kernelChain(table, ch))
	for i, r := range ch.rules {
		kernelRule := &nftables.Rule{Table: table, Chain: added}
		for _, p := range r {
			if p.set != nil {
				name := fmt.Sprintf("%s_%d", ch.name, i)
				*sets++
				if err := addSet(conn, table, name, *sets, p.set); err != nil {
					return fmt.Errorf("the addresses or ports of rule %q cannot be encoded: %w", r.text(), err)
				}
			}
			kernelRule.Exprs = append(kernelRule.Exprs, p.exprs...)
		}
		conn.AddRule(kernelRule)
	}
	return nil
}

func kernelChain(table *nftables.Table, ch chain) *nftables.Chain {
	kernel := &nftables.Chain{Name: ch.name, Table: table}
	if !ch.base {
		return kernel
	}
	kernel.Type, kernel.Priority, kernel.Hooknum = nftables.ChainTypeNAT, nftables.ChainPriorityNATDest, nftables.ChainHookPrerouting
	switch ch.name {
	case chainOutput:
		kernel.Hooknum = nftables.ChainHookOutput
	case chainInvalid:
		kernel.Type, kernel.Priority = nftables.ChainTypeFilter, nftables.ChainPriorityMangle
	}
	return kernel
}

// addSet adds a named set, because an anonymous set must fit into one message. id is unique in the transaction. Without it, the library
// uses a counter that is not safe for concurrent use.
func addSet(conn *nftables.Conn, table *nftables.Table, name string, id uint32, s *set) error {
	kernel := &nftables.Set{Table: table, Name: name, ID: id, KeyType: s.keyType, Interval: s.interval}
	if err := conn.AddSet(kernel, nil); err != nil {
		return err
	}
	s.lookup.SetName, s.lookup.SetID = kernel.Name, kernel.ID
	for part := range slices.Chunk(s.elements, elementsPerMessage) {
		if err := conn.SetAddElements(kernel, part); err != nil {
			return err
		}
	}
	return nil
}

// describeError adds a remedy to the two errors that users can resolve.
func describeError(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("the kernel denies the redirection rules: osm-init needs the capability NET_ADMIN and user id 0; "+
			"if the platform removes them, set enablePrivilegedInitContainer in the MeshConfig: %w", err)
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EPROTONOSUPPORT):
		return fmt.Errorf("the node's kernel cannot redirect traffic: it needs Linux 5.2 or later with nf_tables, nft_ct, nft_nat and nft_redir: %w", err)
	}
	return fmt.Errorf("the redirection rules cannot be applied: %w", err)
}

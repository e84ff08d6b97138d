package redirect

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
)

// elementsAMessage keeps one message of set elements below the 64 KB that a netlink attribute can hold.
const elementsAMessage = 500

// Apply puts the rules into the kernel, in the network namespace of the calling thread. It replaces the whole table in
// one transaction: there is no moment without rules, and running it again changes nothing.
func Apply(c Config) error {
	chains, err := chainsOf(c)
	if err != nil {
		return err
	}
	conn, err := nftables.New(nftables.WithSockOptions(roomForOneTransaction))
	if err != nil {
		return fmt.Errorf("the kernel's netfilter cannot be reached: %w", err)
	}
	table := &nftables.Table{Name: Table, Family: nftables.TableFamilyINet}
	// A table can only be deleted when it exists, and it certainly does after it is added.
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	for _, ch := range chains {
		if err := addChain(conn, table, ch); err != nil {
			return err
		}
	}
	if err := conn.Flush(); err != nil {
		return explain(err)
	}
	return nil
}

// roomForOneTransaction makes the socket hold all rules at once: the default holds a few thousand ranges.
func roomForOneTransaction(conn *netlink.Conn) error {
	const bytes = 8 << 20
	return errors.Join(conn.SetWriteBuffer(bytes), conn.SetReadBuffer(bytes))
}

func addChain(conn *nftables.Conn, table *nftables.Table, ch chain) error {
	added := conn.AddChain(kernelChain(table, ch))
	for i, r := range ch.rules {
		kernelRule := &nftables.Rule{Table: table, Chain: added}
		for _, p := range r {
			if p.set != nil {
				name := fmt.Sprintf("%s_%d", ch.name, i)
				if err := addSet(conn, table, name, p.set); err != nil {
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
	kernel.Type = nftables.ChainTypeNAT
	kernel.Priority = nftables.ChainPriorityNATDest
	kernel.Hooknum = nftables.ChainHookPrerouting
	if ch.name == chainOutput {
		kernel.Hooknum = nftables.ChainHookOutput
	}
	return kernel
}

// addSet adds a named set: only those can be filled with more than one message.
func addSet(conn *nftables.Conn, table *nftables.Table, name string, s *set) error {
	kernel := &nftables.Set{Table: table, Name: name, KeyType: s.keyType, Interval: s.interval}
	if err := conn.AddSet(kernel, nil); err != nil {
		return err
	}
	s.lookup.SetName, s.lookup.SetID = kernel.Name, kernel.ID
	for rest := s.elements; len(rest) > 0; {
		n := min(len(rest), elementsAMessage)
		if err := conn.SetAddElements(kernel, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// explain turns the two errors that users can do something about into sentences.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("the kernel refuses the redirection rules: osm-init needs the capability NET_ADMIN and user id 0; "+
			"where the platform takes it away, set enablePrivilegedInitContainer in the MeshConfig: %w", err)
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EPROTONOSUPPORT):
		return fmt.Errorf("the node's kernel cannot redirect traffic: it needs Linux 5.2 or later with nf_tables, nft_nat and nft_redir: %w", err)
	}
	return fmt.Errorf("the redirection rules cannot be put into the kernel: %w", err)
}

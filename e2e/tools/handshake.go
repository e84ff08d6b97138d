package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

func handshakeCommand() *cobra.Command {
	var serverName string
	var protocols []string
	cmd := &cobra.Command{
		Use:   "handshake ADDRESS",
		Short: "report a TLS server's certificate and whether it accepts a client without one",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printReport(cmd, handshake(cmd.Context(), args[0], serverName, protocols))
		},
	}
	cmd.Flags().StringVar(&serverName, "server-name", "", "server name (SNI)")
	cmd.Flags().StringSliceVar(&protocols, "protocols", nil, "application protocols (ALPN)")
	return cmd
}

func handshake(ctx context.Context, address, serverName string, protocols []string) report.Handshake {
	var result report.Handshake
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // the test checks the certificate itself
		ServerName:         serverName,
		NextProtos:         protocols,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			for _, der := range raw {
				result.Chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
			}
			return describeCertificate(raw[0], &result)
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		result.Error = err.Error()
		return result
	}
	defer conn.Close()
	// In TLS 1.3 the server verifies the client after the client's handshake is complete.
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		result.Error = err.Error()
		return result
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		result.Error = err.Error()
	}
	return result
}

func describeCertificate(raw []byte, into *report.Handshake) error {
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		return err
	}
	into.DNSNames, into.Serial = certificate.DNSNames, certificate.SerialNumber.Text(16)
	into.NotBefore, into.NotAfter = certificate.NotBefore, certificate.NotAfter
	for _, uri := range certificate.URIs {
		into.URIs = append(into.URIs, uri.String())
	}
	return nil
}

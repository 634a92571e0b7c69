// SPDX-License-Identifier: Apache-2.0

package setting

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// file is one that can be read.
func file(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("is %.200q, which %s", path, unreadable(err))
	case !info.Mode().IsRegular() && info.IsDir():
		return fmt.Errorf("is %.200q, which is a folder, not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("is %.200q, which %s", path, unreadable(err))
	}
	return f.Close()
}

// folder is one that can be listed.
func folder(path string) error {
	if _, err := os.ReadDir(path); err != nil {
		return fmt.Errorf("is %.200q, which %s", path, unreadable(err))
	}
	return nil
}

// unreadable says why a file or folder cannot be read.
func unreadable(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not read"
	case errors.Is(err, syscall.ENOTDIR):
		return "is not a folder"
	}
	return "cannot be read: " + err.Error()
}

// certificates is a file of PEM certificates.
func certificates(path string) error {
	_, err := Authorities(path)
	return err
}

// Authorities reads the certificates of authorities from a PEM file. The error
// ends a sentence that begins with the setting's name.
func Authorities(path string) (*x509.CertPool, error) {
	if err := file(path); err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("is %.200q, which %s", path, unreadable(err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("is %.200q, which holds no PEM certificate", path)
	}
	return pool, nil
}

// KeyPair reads a certificate and its key, which the settings of these names
// point to. Neither is none, and one alone is wrong.
func KeyPair(certName, cert, keyName, key string) ([]tls.Certificate, error) {
	switch {
	case cert == "" && key == "":
		return nil, nil
	case cert == "" || key == "":
		return nil, fmt.Errorf("%s and %s go together", certName, keyName)
	}
	if err := errors.Join(named(certName, file(cert)), named(keyName, file(key))); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s %.200q and %s %.200q are not a PEM certificate and its PEM key", certName, cert, keyName, key)
	}
	return []tls.Certificate{pair}, nil
}

func named(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %w", name, err)
}

//! A simulated world behind `ports`: hosts, engines, proxies and traffic in virtual time.

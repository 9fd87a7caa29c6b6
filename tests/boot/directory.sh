# Gives this machine users whom only a directory knows: the name service asks nslcd, and nslcd asks slapd. Read by 'sh -eu', as
# root, with their password in PASSWORD and their names, of which the first has uid 5001, in NAMES.

export DEBIAN_FRONTEND=noninteractive
debconf-set-selections <<END
slapd slapd/no_configuration boolean true
nslcd nslcd/ldap-uris string ldapi:///
nslcd nslcd/ldap-base string dc=example,dc=org
libnss-ldapd libnss-ldapd/nsswitch multiselect passwd, shadow
END
apt-get -q -y --no-install-recommends install /opt/directory/*.deb

# Whoever asks may read everything, and nothing needs a network.
cat >/etc/ldap/slapd.conf <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
pidfile /run/slapd/slapd.pid
argsfile /run/slapd/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 10485760
suffix dc=example,dc=org
directory /var/lib/ldap
END
sed -i 's|^SLAPD_CONF=.*|SLAPD_CONF=/etc/ldap/slapd.conf|; s|^SLAPD_SERVICES=.*|SLAPD_SERVICES=ldapi:///|' /etc/default/slapd
# Passwords are checked here, as those of the machine's own users are.
echo 'map shadow userPassword userPassword' >>/etc/nslcd.conf

uid=5000
{
    printf '%s\n' 'dn: dc=example,dc=org' 'objectClass: dcObject' 'objectClass: organization' 'o: example' 'dc: example' ''
    for name in $NAMES; do
        uid=$((uid + 1))
        cat <<END
dn: uid=$name,dc=example,dc=org
objectClass: account
objectClass: posixAccount
objectClass: shadowAccount
cn: $name
uid: $name
uidNumber: $uid
gidNumber: 100
homeDirectory: /home/$name
loginShell: /bin/bash
userPassword: $(slappasswd -h '{CRYPT}' -c '$6$%.16s' -s "$PASSWORD")

END
        install -d -m 700 -o $uid -g 100 "/home/$name"
    done
} >/root/directory.ldif
slapadd -f /etc/ldap/slapd.conf -l /root/directory.ldif
chown -R openldap:openldap /var/lib/ldap
rm /root/directory.ldif

systemctl daemon-reload
systemctl restart slapd nslcd
for name in $NAMES; do getent passwd "$name" >/dev/null; done

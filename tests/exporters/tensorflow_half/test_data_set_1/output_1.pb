
BIdentity_1:0Jº4\.#8œ-